-- SPDX-License-Identifier: ISC
-- Acts that a stranger can repeat: two at the same time could both miss that they were the last one to be recorded, and then
-- no row said that more may have followed.

CREATE OR REPLACE FUNCTION audit_add_bounded(p_act text, p_target text, p_most integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	v_count bigint;
	v_marked boolean;
BEGIN
	SELECT count(*), coalesce(bool_or(s.after ? 'more_recorded'), false) INTO v_count, v_marked
	FROM (SELECT a.after FROM audit a WHERE a.target = p_target AND a.action = p_act
		AND a.created_at > clock_timestamp() - interval '1 hour' LIMIT p_most + 8) s;
	IF v_count < p_most OR NOT v_marked THEN
		PERFORM audit_add(p_act, p_target, NULL, CASE WHEN v_count >= p_most - 1 THEN '{"more_recorded": false}'::jsonb END);
	END IF;
END $$;
