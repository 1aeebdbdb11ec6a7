-- SPDX-License-Identifier: ISC
-- The log in pieces of a bounded size, for readers that catch up.

-- A loop, so that rows behind the last one that fits are not even read.
CREATE FUNCTION room_log_chunk(p_room bigint, p_after bigint, p_limit integer, p_bytes bigint) RETURNS SETOF log_rows
LANGUAGE plpgsql STABLE ROWS 100 AS $$
DECLARE
	v_row log_rows;
	v_bytes bigint := 0;
BEGIN
	FOR v_row IN SELECT * FROM room_log(p_room, p_after, p_limit) LOOP
		RETURN NEXT v_row;
		v_bytes := v_bytes + coalesce(octet_length(v_row.content), 0) + coalesce(octet_length(v_row.meta), 0);
		EXIT WHEN v_bytes >= p_bytes;
	END LOOP;
END $$;
COMMENT ON FUNCTION room_log_chunk(bigint, bigint, integer, bigint) IS 'Log entries with a higher seq, oldest first: at most p_limit, and none after the one that reaches p_bytes of text';
