-- SPDX-License-Identifier: ISC
-- Text that looks the same is the same: Unicode's form C for names, and for what the knowledge base is searched by.

-- U+00AD and the like cannot be seen. The rule of lib/text.h, for imports and whatever else does not come through the
-- daemon's own checks; joiners and variation selectors are left to scripts and emojis that need them.
CREATE FUNCTION label_hidden(p_text text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT p_text ~ U&'[\0001-\001F\007F-\009F\00AD\034F\061C\115F\1160\17B4\17B5\180B-\180F\200B\200E\200F\2028-\202E\2060-\206F\2800\3164\FEFF\FFA0\FFF0-\FFFB\+0E0000-\+0E007F]'
$$;
COMMENT ON FUNCTION label_hidden(text) IS 'Does a name hold a character that cannot be seen: a control, a zero-width character, a direction mark, a tag?';

CREATE FUNCTION label_visible(p_text text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT p_text ~ U&'[^\0001-\0020\007F-\00A0\1680\2000-\200D\202F\205F\3000\FE00-\FE0F]'
$$;
COMMENT ON FUNCTION label_visible(text) IS 'Does a name without hidden characters hold one that can be seen?';

-- Column names in the trigger's arguments. PA001 is the import's error with a rule that a record broke.
CREATE FUNCTION label_form() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
	v_row jsonb := to_jsonb(NEW);
	v_was jsonb := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) ELSE '{}' END;
	v_column text;
	v_text text;
BEGIN
	FOREACH v_column IN ARRAY TG_ARGV LOOP
		v_text := v_row ->> v_column;
		CONTINUE WHEN v_text IS NULL OR v_text = v_was ->> v_column;
		IF label_hidden(v_text) THEN
			RAISE EXCEPTION '% must not contain invisible characters', v_column USING ERRCODE = 'PA001';
		ELSIF NOT label_visible(v_text) THEN
			RAISE EXCEPTION '% must have a visible character', v_column USING ERRCODE = 'PA001';
		END IF;
		IF v_text IS NOT NFC NORMALIZED THEN
			NEW := jsonb_populate_record(NEW, jsonb_build_object(v_column, normalize(v_text)));
		END IF;
	END LOOP;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION label_form() IS 'Brings the named columns into Unicode form C and refuses what cannot be seen';

UPDATE users SET name = normalize(name) WHERE name IS NOT NFC NORMALIZED;
-- Addresses of two users that differ in their form only stay as they are.
UPDATE users SET email = normalize(email) WHERE email IS NOT NFC NORMALIZED
	AND NOT EXISTS (SELECT FROM users o WHERE o.id <> users.id AND lower(normalize(o.email)) = lower(normalize(users.email)));
UPDATE rooms SET name = normalize(name) WHERE name IS NOT NFC NORMALIZED;
UPDATE roles SET display_name = normalize(display_name) WHERE display_name IS NOT NFC NORMALIZED;

CREATE TRIGGER label_form BEFORE INSERT OR UPDATE OF name, email ON users FOR EACH ROW EXECUTE FUNCTION label_form('name', 'email');
CREATE TRIGGER label_form BEFORE INSERT OR UPDATE OF name ON rooms FOR EACH ROW EXECUTE FUNCTION label_form('name');
CREATE TRIGGER label_form BEFORE INSERT OR UPDATE OF display_name ON roles FOR EACH ROW EXECUTE FUNCTION label_form('display_name');

-- Passages keep their text; what is searched has form C, in documents and in questions.
ALTER TABLE knowledge_chunks DROP COLUMN words;
ALTER TABLE knowledge_chunks ADD COLUMN words tsvector
	GENERATED ALWAYS AS (to_tsvector('english', normalize(content)) || to_tsvector('simple', normalize(content))) STORED;
CREATE INDEX knowledge_chunks_words ON knowledge_chunks USING gin (words);
COMMENT ON COLUMN knowledge_chunks.words IS 'What is searched: English stems, and the words as they stand, in Unicode form C';

CREATE OR REPLACE FUNCTION knowledge_query(p_query text) RETURNS tsquery
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN position('!' IN w.english::text) > 0 THEN w.english
		ELSE replace(w.english::text, ' & ', ' | ')::tsquery || websearch_to_tsquery('simple', normalize(p_query)) END
	FROM (SELECT websearch_to_tsquery('english', normalize(p_query)) AS english) w
$$;

CREATE OR REPLACE FUNCTION knowledge_search(p_query text, p_floor double precision, p_limit integer)
RETURNS TABLE (document_id bigint, title text, number bigint, first bigint, last bigint, content text, score double precision)
LANGUAGE sql STABLE AS $$
	WITH q AS MATERIALIZED (
		SELECT knowledge_query(p_query) AS query, tsvector_to_array(to_tsvector('english', normalize(p_query))) AS stems
	), hits AS (
		SELECT c.*, ts_rank_cd(c.words, q.query, 32) / 2 + 0.5 * coalesce((SELECT count(*) FROM unnest(q.stems) s
			WHERE c.words @@ (quote_literal(s)::tsquery))::double precision / nullif(cardinality(q.stems), 0), 1) AS score
		FROM q, knowledge_chunks c WHERE c.words @@ q.query
	)
	SELECT h.document_id, d.title, h.number::bigint, h.first, h.last, h.content, h.score
	FROM hits h JOIN knowledge_documents d ON d.id = h.document_id
	WHERE h.score >= p_floor ORDER BY h.score DESC, h.document_id, h.number LIMIT p_limit
$$;
