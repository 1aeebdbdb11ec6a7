-- SPDX-License-Identifier: ISC
-- What users say about themselves: language and time zone.

ALTER TABLE users ADD COLUMN locale text CHECK (length(locale) BETWEEN 2 AND 64),
	ADD COLUMN timezone text CHECK (length(timezone) BETWEEN 1 AND 64);
COMMENT ON COLUMN users.locale IS 'Language that the user reads, as a language tag of BCP 47; NULL: not given';
COMMENT ON COLUMN users.timezone IS 'Time zone of the user, a name of the tz database; NULL: not given';

-- The cheap check comes first, because pg_timezone_names reads the whole tz database.
CREATE FUNCTION profile_zone(p_name text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF p_name ~ '^[A-Za-z]' AND lower(p_name) !~ '^(posix|right)/' AND query_zone_name(p_name) IS NOT NULL THEN
		RETURN (SELECT z.name FROM pg_timezone_names z WHERE lower(z.name) = lower(p_name) ORDER BY z.name LIMIT 1);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION profile_zone(text) IS 'The name of a time zone as the tz database writes it; NULL: it has no such zone';

CREATE FUNCTION profile_patch(p_id bigint, p_name text, p_preferences text, p_locale text, p_zone text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v_zone text := CASE WHEN p_zone <> '' THEN profile_zone(p_zone) END;
	v_status text;
BEGIN
	IF p_zone <> '' AND v_zone IS NULL THEN
		RETURN 'bad_zone';
	END IF;
	SELECT p.status INTO v_status FROM user_patch(p_id, NULL, p_name) p;
	IF v_status <> 'ok' THEN
		RETURN v_status;
	END IF;
	UPDATE users u SET locale = CASE WHEN p_locale IS NULL THEN u.locale ELSE nullif(p_locale, '') END,
		timezone = CASE WHEN p_zone IS NULL THEN u.timezone ELSE v_zone END
		WHERE u.id = p_id AND (p_locale IS NOT NULL OR p_zone IS NOT NULL);
	INSERT INTO preferences (user_id, body) SELECT p_id, p_preferences::json WHERE p_preferences IS NOT NULL
		ON CONFLICT (user_id) DO UPDATE SET body = excluded.body, updated_at = clock_timestamp();
	RETURN 'ok';
END $$;
COMMENT ON FUNCTION profile_patch(bigint, text, text, text, text) IS 'Changes display name, preferences, locale, and time zone of a user, all or none of them (NULL: unchanged, empty: none): ok, not_found, taken_shown, bad_zone';

CREATE OR REPLACE FUNCTION query_zone(p_user bigint, p_asked text, p_usual text, p_at timestamptz)
RETURNS TABLE (asked_ok boolean, zone text, shown text, local_s bigint)
LANGUAGE sql STABLE AS $$
	SELECT p_asked IS NULL OR query_zone_name(p_asked) IS NOT NULL, z.zone, z.shown,
		floor(extract(epoch FROM (p_at AT TIME ZONE z.zone)))::bigint
	FROM (SELECT query_zone_name(c.name) AS zone, c.name AS shown, c.place
		FROM (VALUES (1, p_asked), (2, (SELECT u.timezone FROM users u WHERE u.id = p_user)),
			(3, (SELECT p.body ->> 'timezone' FROM preferences p WHERE p.user_id = p_user)), (4, p_usual),
			(5, 'UTC')) c (place, name)) z
	WHERE z.zone IS NOT NULL ORDER BY z.place LIMIT 1
$$;
COMMENT ON FUNCTION query_zone(bigint, text, text, timestamptz) IS 'The time zone of a question: of the request, else of the profile, else of the preferences, else the usual one, else UTC; and what its clock shows at p_at, as seconds since 1970';
