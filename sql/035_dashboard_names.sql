-- SPDX-License-Identifier: ISC
-- Dashboards have a name for people and a number of columns.

ALTER TABLE dashboards ADD COLUMN name text CHECK (length(name) BETWEEN 1 AND 128);
ALTER TABLE dashboards ADD COLUMN columns integer NOT NULL DEFAULT 12 CHECK (columns BETWEEN 1 AND 12);
COMMENT ON COLUMN dashboards.name IS 'Name for people; NULL: the same as layout_id';
COMMENT ON COLUMN dashboards.columns IS 'Columns of the grid';
COMMENT ON COLUMN dashboards.cards IS 'Checked cards on a grid of that many columns';

CREATE TRIGGER label_form BEFORE INSERT OR UPDATE OF name ON dashboards FOR EACH ROW EXECUTE FUNCTION label_form('name');

DROP FUNCTION dashboard_save(bigint, text, bigint, bigint, json, bigint);
-- p_match and p_version: what the client says the version is, by If-Match and in the body; NULL: it says nothing.
CREATE FUNCTION dashboard_save(p_user bigint, p_layout text, p_match bigint, p_version bigint, p_cards json, p_name text,
	p_columns integer, p_max bigint)
RETURNS TABLE (status text, version bigint)
LANGUAGE plpgsql AS $$
DECLARE
	v_have bigint;
BEGIN
	PERFORM 1 FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;	-- counts one at a time
	SELECT d.version INTO v_have FROM dashboards d WHERE d.user_id = p_user AND d.layout_id = p_layout FOR UPDATE;
	IF p_match IS NOT NULL AND p_match IS DISTINCT FROM v_have AND (p_match <> 0 OR v_have IS NULL) THEN
		RETURN QUERY SELECT 'stale', v_have;
	ELSIF p_version IS NOT NULL AND p_version <> coalesce(v_have, 0) THEN
		RETURN QUERY SELECT 'conflict', v_have;
	ELSIF v_have IS NULL AND (SELECT count(*) FROM dashboards d WHERE d.user_id = p_user) >= p_max THEN
		RETURN QUERY SELECT 'limit', v_have;
	ELSE
		RETURN QUERY INSERT INTO dashboards AS d (user_id, layout_id, cards, name, columns)
			VALUES (p_user, p_layout, p_cards, p_name, p_columns)
			ON CONFLICT (user_id, layout_id) DO UPDATE SET cards = excluded.cards, version = d.version + 1,
				name = coalesce(excluded.name, d.name), columns = excluded.columns, updated_at = clock_timestamp()
			RETURNING 'ok', d.version;
	END IF;
END $$;
COMMENT ON FUNCTION dashboard_save(bigint, text, bigint, bigint, json, text, integer, bigint) IS 'Makes or replaces a layout; p_name NULL: keeps the name; stale: If-Match (0: any that exists) does not hold; conflict: the version in the body does not; gives the version there is';
