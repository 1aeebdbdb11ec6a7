-- SPDX-License-Identifier: ISC
-- Acts that a stranger can repeat: two at the same time could both miss that they were the last one to be recorded, and then
-- no row said that more may have followed.

CREATE OR REPLACE FUNCTION audit_add_bounded(p_act text, p_target text, p_most integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	v_since timestamptz := clock_timestamp() - interval '1 hour';
	v_count bigint := (SELECT count(*) FROM (SELECT FROM audit a WHERE a.target = p_target AND a.action = p_act
		AND a.created_at > v_since LIMIT p_most) s);
BEGIN
	IF v_count < p_most OR NOT EXISTS (SELECT FROM audit a WHERE a.target = p_target AND a.action = p_act
			AND a.created_at > v_since AND a.after ? 'more_recorded') THEN
		PERFORM audit_add(p_act, p_target, NULL, CASE WHEN v_count >= p_most - 1 THEN '{"more_recorded": false}'::jsonb END);
	END IF;
END $$;
