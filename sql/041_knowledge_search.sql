-- SPDX-License-Identifier: ISC
-- The search over the knowledge base: questions have no operators, accents do not matter, codes are found by their parts,
-- typing errors are forgiven, text without blanks is found by pairs of characters, and each document has a language.
--
-- Indexes passages anew: about 20 s per 10,000 passages. The extensions are trusted: the
-- owner of the database may create them.

CREATE EXTENSION IF NOT EXISTS unaccent;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;

-- ---- languages ----

CREATE FUNCTION knowledge_config(p_language text) RETURNS regconfig
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE p_language WHEN 'ar' THEN 'arabic' WHEN 'ca' THEN 'catalan' WHEN 'da' THEN 'danish' WHEN 'de' THEN 'german'
		WHEN 'el' THEN 'greek' WHEN 'en' THEN 'english' WHEN 'es' THEN 'spanish' WHEN 'eu' THEN 'basque'
		WHEN 'fi' THEN 'finnish' WHEN 'fr' THEN 'french' WHEN 'ga' THEN 'irish' WHEN 'hi' THEN 'hindi'
		WHEN 'hu' THEN 'hungarian' WHEN 'hy' THEN 'armenian' WHEN 'id' THEN 'indonesian' WHEN 'it' THEN 'italian'
		WHEN 'lt' THEN 'lithuanian' WHEN 'ne' THEN 'nepali' WHEN 'nl' THEN 'dutch' WHEN 'no' THEN 'norwegian'
		WHEN 'pt' THEN 'portuguese' WHEN 'ro' THEN 'romanian' WHEN 'ru' THEN 'russian' WHEN 'sr' THEN 'serbian'
		WHEN 'sv' THEN 'swedish' WHEN 'ta' THEN 'tamil' WHEN 'tr' THEN 'turkish' WHEN 'yi' THEN 'yiddish'
		ELSE 'simple' END::regconfig
$$;
COMMENT ON FUNCTION knowledge_config(text) IS 'How words of a language (ISO 639-1) are reduced to stems; simple: they are searched as they stand';

ALTER TABLE knowledge_documents ADD COLUMN language text NOT NULL DEFAULT 'en' CHECK (language ~ '^[a-z]{2,3}$');
COMMENT ON COLUMN knowledge_documents.language IS 'Language of the text (ISO 639-1; und: none in particular), which decides how words are reduced to stems';

-- ---- text ----

-- Regular expressions use these inside brackets: what separates words, and what is written without blanks.
CREATE FUNCTION knowledge_class(p_class text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	v_han constant text := '\u2E80-\u2FDF\u3005-\u3007\u3021-\u3029\u3038-\u303B\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF'
		|| '\U00020000-\U0003FFFF\u30A1-\u30FA\u30FC-\u30FF\u31F0-\u31FF';
	v_kana constant text := '\u3041-\u309F';
	v_thai constant text := '\u0E01-\u0E2E\u0E30-\u0E45\u0E47-\u0E4E\u0E80-\u0EFF\u1000-\u1049\u1050-\u109F\u1780-\u17D3';
BEGIN
	RETURN CASE p_class WHEN 'han' THEN v_han WHEN 'kana' THEN v_kana WHEN 'thai' THEN v_thai
		WHEN 'pairs' THEN v_han || v_kana || '\u1100-\u11FF\uAC00-\uD7AF' || v_thai
		ELSE '\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00BF\u00D7\u00F7\u02B0-\u02FF\u055A-\u055F\u0589\u058A'
			|| '\u05BE\u05C0\u05C3\u05F3\u05F4\u060C\u061B\u061F\u066A-\u066D\u06D4\u0964\u0965\u0E2F\u0E46\u0E4F\u0E5A\u0E5B'
			|| '\u0F0B\u0F0D\u104A-\u104F\u10FB\u1680\u180E\u1361-\u1368\u17D4-\u17DA\u2000-\u206F\u20A0-\u20CF\u2100-\u2BFF\u2E00-\u2E7F'
			|| '\u3000-\u3004\u3008-\u3020\u3030\u303D-\u303F\u30A0\u30FB\uFE00-\uFE6F\uFFF9-\uFFFD\U0001F000-\U0001FAFF'
			|| '\U000E0000-\U000E01EF' END;
END $$;
COMMENT ON FUNCTION knowledge_class(text) IS 'Characters for a bracket of a regular expression: han (with Katakana), kana (Hiragana), thai (with its neighbors), pairs (these and Hangul), gap (what separates words)';

CREATE FUNCTION knowledge_fold(p_text text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	IF p_text !~ '[^\u0001-\u007F]' THEN
		RETURN p_text;
	END IF;
	RETURN normalize(regexp_replace(normalize(unaccent(p_text), NFKD),
		'[\u0300-\u036F\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0640\u064B-\u065F\u0670]', '', 'g'), NFKC);
END $$;
COMMENT ON FUNCTION knowledge_fold(text) IS 'Without accents: café is cafe, Łódź is Lodz, Straße is Strasse';

-- Letters and digits part from each other, so that DS7604NI, DS-7604NI and DS 7604 NI are the same three words.
CREATE FUNCTION knowledge_atoms(p_text text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT regexp_replace(regexp_replace(regexp_replace(p_text, '[' || knowledge_class('gap') || ']+', ' ', 'g'),
		'([^0-9 ])([0-9])', '\1 \2', 'g'), '([0-9])([^0-9 ])', '\1 \2', 'g')
$$;
COMMENT ON FUNCTION knowledge_atoms(text) IS 'Words of a text with blanks between them; letters and digits are words of their own';

-- Words that are connected by a mark: Node.js, wi-fi, AT&T, 1,000. They are found as one word too (nodejs).
CREATE FUNCTION knowledge_compounds(p_text text) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT m[1] FROM regexp_matches(p_text, '([^' || knowledge_class('gap') || ']+(?:(?:[-./_+&''\u00B7\u2010-\u2015\u2019\u200B-\u200D]|,(?=[0-9]))'
		|| '[^' || knowledge_class('gap') || ']+)+)', 'g') m WHERE length(m[1]) <= 60
$$;
COMMENT ON FUNCTION knowledge_compounds(text) IS 'Words that are connected by a mark, with their marks';

CREATE FUNCTION knowledge_joined(p_compound text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT regexp_replace(p_compound, '[' || knowledge_class('gap') || ']+', '', 'g')
$$;
COMMENT ON FUNCTION knowledge_joined(text) IS 'A compound as one word';

-- "abc" is ab, bc, c: the last one is there so that a single character finds every place where it stands.
CREATE FUNCTION knowledge_pairs(p_text text) RETURNS tsvector
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
	v_run text;
	v_out text[] := '{}';
	v_at integer := 0;
BEGIN
	FOR v_run IN SELECT m[1] FROM regexp_matches(p_text, '([' || knowledge_class('pairs') || ']+)', 'g') m LOOP
		v_out := v_out || ARRAY(SELECT quote_literal(substr(v_run, i, 2)) || ':' || least(v_at + i, 16383)
			FROM generate_series(1, length(v_run)) i);
		v_at := v_at + length(v_run) + 1;
	END LOOP;
	RETURN array_to_string(v_out, ' ')::tsvector;
END $$;
COMMENT ON FUNCTION knowledge_pairs(text) IS 'Pairs of neighboring characters in text of scripts that have no blanks between words';

CREATE FUNCTION knowledge_words(p_text text, p_language text) RETURNS tsvector
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_text text := lower(normalize(p_text, NFKC));
	v_config regconfig := knowledge_config(p_language);
	v_pairs tsvector := '';
	v_atoms text;
	v_spelled text;
	v_words tsvector := '';
BEGIN
	IF v_text ~ ('[' || knowledge_class('pairs') || ']') THEN
		v_pairs := knowledge_pairs(v_text);
		v_text := regexp_replace(v_text, '[' || knowledge_class('pairs') || ']+', ' ', 'g');
	END IF;
	v_atoms := knowledge_atoms(v_text);
	IF v_config <> 'simple'::regconfig THEN
		v_words := regexp_replace(knowledge_fold(to_tsvector(v_config, v_atoms)::text), '(^| )'''':[0-9,]+', '', 'g')::tsvector;
	END IF;
	IF p_language = 'de' AND v_atoms ~ '[äöü]' THEN		-- Rücksendung is found by Ruecksendung too
		v_spelled := (SELECT string_agg(replace(replace(replace(a, 'ä', 'ae'), 'ö', 'oe'), 'ü', 'ue'), ' ')
			FROM regexp_split_to_table(v_atoms, ' ') a WHERE a ~ '[äöü]');
		v_words := v_words || to_tsvector(v_config, v_spelled) || to_tsvector('simple', knowledge_fold(v_spelled));
	END IF;
	RETURN v_words || to_tsvector('simple', knowledge_fold(v_atoms)) || to_tsvector('simple', knowledge_fold(coalesce(
		(SELECT string_agg(knowledge_joined(c), ' ') FROM knowledge_compounds(v_text) c), ''))) || v_pairs;
END $$;
COMMENT ON FUNCTION knowledge_words(text, text) IS 'What a passage is found by: stems of its language, words as they stand, compounds as one word, pairs of characters; without accents';

-- ---- the index ----

ALTER TABLE knowledge_chunks DROP COLUMN words;
ALTER TABLE knowledge_chunks ADD COLUMN words tsvector;
COMMENT ON COLUMN knowledge_chunks.words IS 'What is searched: knowledge_words() of the title and the text, and the language as #en';

CREATE FUNCTION knowledge_index() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	SELECT knowledge_words(d.title || E'\n' || NEW.content, d.language) || quote_literal('#' || d.language)::tsvector INTO NEW.words
		FROM knowledge_documents d WHERE d.id = NEW.document_id;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION knowledge_index() IS 'Fills what passages are found by';
CREATE TRIGGER knowledge_index BEFORE INSERT OR UPDATE OF content ON knowledge_chunks FOR EACH ROW EXECUTE FUNCTION knowledge_index();

-- One row per word and document, so that a word goes when its documents go.
CREATE TABLE knowledge_terms (
	document_id   bigint NOT NULL REFERENCES knowledge_documents ON DELETE CASCADE,
	term          text NOT NULL,
	PRIMARY KEY (document_id, term)
);
COMMENT ON TABLE knowledge_terms IS 'Words of the knowledge base, by which misspelled words of questions are corrected';
COMMENT ON COLUMN knowledge_terms.document_id IS 'Document';
COMMENT ON COLUMN knowledge_terms.term IS 'Word of 5 to 40 letters, without accents';

CREATE FUNCTION knowledge_learn(p_document bigint) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO knowledge_terms (document_id, term)
		SELECT DISTINCT p_document, w.lexeme FROM knowledge_chunks c, unnest(c.words) w
		WHERE c.document_id = p_document AND length(w.lexeme) BETWEEN 5 AND 40
			AND w.lexeme !~ ('[0-9' || knowledge_class('pairs') || ']')
$$;
COMMENT ON FUNCTION knowledge_learn(bigint) IS 'Notes the words of a document';

UPDATE knowledge_chunks SET content = content;
SELECT knowledge_learn(d.id) FROM knowledge_documents d;
ALTER TABLE knowledge_chunks ALTER COLUMN words SET NOT NULL;
CREATE INDEX knowledge_chunks_words ON knowledge_chunks USING gin (words);
CREATE INDEX knowledge_terms_like ON knowledge_terms USING gin (term gin_trgm_ops);

-- ---- documents ----

DROP FUNCTION knowledge_get(bigint);
DROP FUNCTION knowledge_list(bigint, integer);
DROP FUNCTION knowledge_put(text, text, text, text, bigint, text);
DROP VIEW knowledge_rows;
CREATE VIEW knowledge_rows AS
	SELECT d.id, d.title, d.source, octet_length(d.content)::bigint AS bytes, d.sha256,
		(SELECT count(*) FROM knowledge_chunks c WHERE c.document_id = d.id) AS chunks, u.username AS author,
		d.created_at, d.updated_at, d.language, CASE WHEN d.language IN ('zh', 'ja', 'ko', 'th', 'lo', 'km', 'my') THEN 'pairs'
			WHEN knowledge_config(d.language) = 'simple'::regconfig THEN 'words' ELSE 'stems' END AS found_by
	FROM knowledge_documents d LEFT JOIN users u ON u.id = d.author_id;
COMMENT ON VIEW knowledge_rows IS 'Documents without their text, in the column order that the daemon reads';

-- p_chunks: [{"from","to","text"}]. A source that is there already with the same SHA-256 and language stays untouched.
CREATE FUNCTION knowledge_put(p_source text, p_title text, p_content text, p_sha256 text, p_user bigint, p_chunks text, p_language text)
RETURNS TABLE (status text, fresh boolean, id bigint, title text, source text, bytes bigint, sha256 text, chunks bigint,
	author text, created_at timestamptz, updated_at timestamptz, language text, found_by text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	v_id bigint;
	v_fresh boolean := true;
BEGIN
	IF p_source IS NOT NULL THEN
		PERFORM pg_advisory_xact_lock(hashtextextended('parlour knowledge ' || p_source, 0));
		SELECT d.id, d.sha256 <> p_sha256 OR d.language <> p_language INTO v_id, v_fresh FROM knowledge_documents d
			WHERE d.source = p_source FOR UPDATE;
	END IF;
	IF v_id IS NULL THEN
		v_fresh := true;
		INSERT INTO knowledge_documents AS d (title, source, content, sha256, author_id, language)
			VALUES (p_title, p_source, p_content, p_sha256, nullif(p_user, 0), p_language) RETURNING d.id INTO v_id;
	ELSIF v_fresh THEN
		UPDATE knowledge_documents d SET title = p_title, content = p_content, sha256 = p_sha256, language = p_language,
			updated_at = clock_timestamp() WHERE d.id = v_id;
		DELETE FROM knowledge_chunks c WHERE c.document_id = v_id;
		DELETE FROM knowledge_terms t WHERE t.document_id = v_id;
	END IF;
	IF v_fresh THEN
		INSERT INTO knowledge_chunks (document_id, number, first, last, content)
			SELECT v_id, j.ord, (j.e ->> 'from')::bigint, (j.e ->> 'to')::bigint, j.e ->> 'text'
			FROM jsonb_array_elements(p_chunks::jsonb) WITH ORDINALITY AS j (e, ord);
		PERFORM knowledge_learn(v_id);
	END IF;
	RETURN QUERY SELECT 'ok', v_fresh, v.* FROM knowledge_rows v WHERE v.id = v_id;
END $$;
COMMENT ON FUNCTION knowledge_put(text, text, text, text, bigint, text, text) IS 'Stores a document with its passages; one that has a source replaces what came from there before. fresh: the text was stored';

CREATE FUNCTION knowledge_list(p_after bigint, p_limit integer) RETURNS SETOF knowledge_rows
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY SELECT v.* FROM knowledge_rows v WHERE v.id > p_after ORDER BY v.id LIMIT p_limit;
END $$;
COMMENT ON FUNCTION knowledge_list(bigint, integer) IS 'Documents without their text, ids above p_after, ascending';

CREATE FUNCTION knowledge_get(p_id bigint)
RETURNS TABLE (id bigint, title text, source text, bytes bigint, sha256 text, chunks bigint, author text,
	created_at timestamptz, updated_at timestamptz, language text, found_by text, content text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY SELECT v.*, d.content FROM knowledge_documents d JOIN knowledge_rows v ON v.id = d.id WHERE d.id = p_id;
END $$;
COMMENT ON FUNCTION knowledge_get(bigint) IS 'One document with its text; no row: there is none';

-- ---- questions ----

-- One word of a question, folded to lower case, NFKC. A compound is found where its parts stand in this order (ds-7604ni
-- in DS-7604NI-E1/4P/A), or as one word. NULL: the language does not search for this word.
CREATE FUNCTION knowledge_word(p_word text, p_language text) RETURNS tsquery
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_config regconfig := knowledge_config(p_language);
	v_atoms text := btrim(knowledge_atoms(p_word));
	v_plain tsquery := phraseto_tsquery('simple', knowledge_fold(v_atoms));
	v_stem tsquery := phraseto_tsquery(v_config, v_atoms);
	v_joined text := knowledge_fold(knowledge_joined(p_word));
BEGIN
	IF v_atoms !~ ' ' THEN
		IF numnode(v_stem) = 0 OR numnode(v_plain) = 0 THEN
			RETURN NULL;
		END IF;
		RETURN v_plain || knowledge_fold(v_stem::text)::tsquery;
	END IF;
	IF v_joined !~ ' ' AND v_joined <> '' THEN
		v_plain := v_plain || quote_literal(v_joined)::tsquery;
	END IF;
	RETURN v_plain;
END $$;
COMMENT ON FUNCTION knowledge_word(text, text) IS 'Query for one word of a question; NULL: a stop word';

-- A run of characters of a script without blanks, cut at words that only ask. Han, Kana and Hangul: its pairs, each
-- for itself. Thai and its neighbors, whose pairs say little: four characters each.
CREATE FUNCTION knowledge_run(p_run text) RETURNS SETOF tsquery
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_cut text := regexp_replace(p_run, '为什么|什么时候|多长时间|怎么样|怎么|怎样|如何|什么|多少|要几|几|哪里|哪儿|可以|我们|你们|请问'
		|| '|[我你您的了吗呢么吧啊是]|何時|何日|いつ|どこ|どう|ですか|ますか|ください|教えて'
		|| '|언제|어디|어떻게|무엇|얼마|되나요|있나요|하나요|인가요|입니까|합니까|습니까|주세요'
		|| '|ครับ|ค่ะ|คะ|ไหม|มั้ย|อะไร|อย่างไร|ยังไง|เมื่อไหร่|เมื่อไร|ที่ไหน|เท่าไหร่|เท่าไร|กรุณา', ' ', 'g');
	v_part text;
	v_parts text[];
	v_size integer;
BEGIN
	IF btrim(v_cut) = '' THEN
		RETURN;
	END IF;
	IF v_cut ~ ('[' || knowledge_class('han') || ']') THEN		-- what is in Hiragana bends and connects words
		v_cut := regexp_replace(v_cut, '[' || knowledge_class('kana') || ']+', ' ', 'g');
	END IF;
	v_parts := regexp_split_to_array(btrim(v_cut), ' +');
	FOREACH v_part IN ARRAY v_parts LOOP
		v_size := CASE WHEN v_part ~ ('[' || knowledge_class('thai') || ']') THEN least(4, length(v_part)) ELSE 2 END;
		IF length(v_part) = 1 THEN
			IF cardinality(v_parts) = 1 THEN
				RETURN NEXT (quote_literal(v_part) || ':*')::tsquery;
			END IF;
			CONTINUE;
		END IF;
		RETURN QUERY SELECT string_agg(quote_literal(substr(v_part, i + k, 2)), ' <-> ' ORDER BY k)::tsquery
			FROM generate_series(1, length(v_part) - v_size + 1) i, generate_series(0, v_size - 2) k GROUP BY i ORDER BY i;
	END LOOP;
END $$;
COMMENT ON FUNCTION knowledge_run(text) IS 'Queries for a run of characters without blanks, one per pair (Thai: per four characters)';

-- The words of a question: at most 60. word: NULL for pairs.
CREATE FUNCTION knowledge_units(p_query text, p_language text) RETURNS TABLE (word text, query tsquery)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_text text := lower(normalize(p_query, NFKC));
	v_pairs text := '[' || knowledge_class('pairs') || ']+';
	v_asks text[] := '{get,gets,got,getting,want,wants,need,needs,know,knows,tell,please,show,give,find,help,like,let,could,
		would,may,might,shall,us,hi,hello,hey,thanks,thank,bitte,möchte,brauche,gibt,gerne,hallo,danke,bonjour,merci,voudrais,
		veux,hola,gracias,quiero,quisiera}';
BEGIN
	RETURN QUERY WITH found AS (
		SELECT m[1] AS w, knowledge_word(m[1], p_language) AS q FROM regexp_matches(regexp_replace(v_text, v_pairs, ' ', 'g'),
			'([^' || knowledge_class('gap') || ']+(?:(?:[-./_+&''\u00B7\u2010-\u2015\u2019\u200B-\u200D]|,(?=[0-9]))[^' || knowledge_class('gap')
			|| ']+)*)', 'g') WITH ORDINALITY AS t (m, n) ORDER BY n LIMIT 60
	), plain AS (
		SELECT f.w, f.q, f.w = ANY (v_asks) AS asks FROM found f WHERE f.q IS NOT NULL
	), said AS (
		SELECT p.w, p.q FROM plain p WHERE NOT p.asks
		UNION ALL SELECT NULL, r FROM regexp_matches(v_text, '(' || v_pairs || ')', 'g') m, knowledge_run(m[1]) r
	)
	SELECT DISTINCT ON (s.q::text) s.w, s.q FROM (SELECT * FROM said UNION ALL
		SELECT p.w, p.q FROM plain p WHERE NOT EXISTS (SELECT FROM said) LIMIT 60) s;
END $$;
COMMENT ON FUNCTION knowledge_units(text, text) IS 'What a question asks for, word by word, without the words that only ask';

CREATE FUNCTION knowledge_close(p_said text, p_term text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE levenshtein_less_equal(p_said, p_term, 2) WHEN 0 THEN true
		WHEN 1 THEN length(p_said) >= 5
		WHEN 2 THEN length(p_said) >= 8 OR (length(p_said) = length(p_term)
			AND (SELECT array_agg(c ORDER BY c) FROM regexp_split_to_table(p_said, '') c)
				= (SELECT array_agg(c ORDER BY c) FROM regexp_split_to_table(p_term, '') c))
		ELSE false END
$$;
COMMENT ON FUNCTION knowledge_close(text, text) IS 'May one word be the other one with a typing error? One letter, in words of 8 letters two, or two that changed places';

-- The second list, for at most four words of a question: words of the knowledge base that look like a word that it does not have.
CREATE FUNCTION knowledge_similar(p_word text) RETURNS tsquery
LANGUAGE sql STABLE SET pg_trgm.similarity_threshold = 0.2 SET jit = off AS $$
	WITH near AS MATERIALIZED (
		SELECT DISTINCT k.term FROM knowledge_terms k WHERE p_word ~ '^[^0-9 ]{5,40}$' AND k.term % p_word
			AND left(k.term, 1) = left(p_word, 1) AND length(k.term) BETWEEN length(p_word) - 2 AND length(p_word) + 2
	)
	SELECT string_agg(quote_literal(t.term), ' | ')::tsquery
	FROM (SELECT n.term FROM near n WHERE knowledge_close(p_word, n.term) ORDER BY n.term <-> p_word LIMIT 5) t
$$;
COMMENT ON FUNCTION knowledge_similar(text) IS 'Query for words that look like this one; NULL: there are none';

CREATE FUNCTION knowledge_has(p_query tsquery, p_language text) RETURNS boolean
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
	RETURN EXISTS (SELECT FROM knowledge_chunks c WHERE c.words @@ (quote_literal('#' || p_language)::tsquery && p_query));
END $$;
COMMENT ON FUNCTION knowledge_has(tsquery, text) IS 'Is there a passage of this language that fits?';

CREATE FUNCTION knowledge_misspelled(p_query text, p_languages text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_word text;
	v_similar tsquery;
	v_tried integer := 0;
	v_out jsonb := '{}';
BEGIN
	FOR v_word IN SELECT u.word FROM knowledge_units(p_query, 'und') u WHERE u.word ~ '^[^0-9 ]{5,40}$' AND length(knowledge_joined(u.word)) = length(u.word) LOOP
		CONTINUE WHEN EXISTS (SELECT FROM unnest(p_languages) l, knowledge_word(v_word, l) q WHERE q IS NULL OR knowledge_has(q, l));
		v_similar := knowledge_similar(knowledge_fold(v_word));
		IF v_similar IS NOT NULL THEN
			v_out := v_out || jsonb_build_object(v_word, v_similar::text);
		END IF;
		v_tried := v_tried + 1;
		EXIT WHEN v_tried = 4;
	END LOOP;
	RETURN v_out;
END $$;
COMMENT ON FUNCTION knowledge_misspelled(text, text[]) IS 'Words of a question that no passage has, with queries for those that look like them; at most four are looked for';

-- The words of a question as they are searched: words that are nowhere give way to their parts (waterproof/dustproof), or to
-- what looks like them, for half. Long numbers and codes count twice: the wrong model does not belong.
CREATE FUNCTION knowledge_wanted(p_query text, p_language text, p_misspelled jsonb)
RETURNS TABLE (query tsquery, weight double precision, alike boolean)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
	v_unit record;
	v_parts text[];
BEGIN
	FOR v_unit IN SELECT u.word, u.query FROM knowledge_units(p_query, p_language) u LOOP
		v_parts := regexp_split_to_array(btrim(knowledge_atoms(v_unit.word)), ' ');
		alike := coalesce(p_misspelled ? v_unit.word, false);
		weight := CASE WHEN v_unit.word ~ '[0-9]{3}|[0-9].*[^0-9]|[^0-9].*[0-9]' THEN 2 ELSE 1 END;
		query := CASE WHEN alike THEN (p_misspelled ->> v_unit.word)::tsquery ELSE v_unit.query END;
		IF cardinality(v_parts) > 1 AND v_unit.word !~ '[0-9]' AND (SELECT min(length(a)) FROM unnest(v_parts) a) > 2
			AND NOT knowledge_has(v_unit.query, p_language) THEN
			RETURN QUERY SELECT knowledge_word(a, p_language), 1::double precision, false FROM unnest(v_parts) a
				WHERE knowledge_word(a, p_language) IS NOT NULL;
		ELSE
			RETURN NEXT;
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION knowledge_wanted(text, text, jsonb) IS 'Queries for a question, one per word; alike: for words that look like it';

-- The query language: all words, "a phrase", -not, or between two. NULL: nothing is asked for.
CREATE FUNCTION knowledge_operators(p_query text, p_language text) RETURNS tsquery
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_token text[];
	v_word tsquery;
	v_any tsquery;
	v_all tsquery;
	v_not tsquery;
	v_or boolean := false;
BEGIN
	FOR v_token IN SELECT regexp_matches(lower(normalize(p_query, NFKC)), '(?:^|\s)(-?)("[^"]*"|[^\s"]+)', 'g') LOOP
		IF v_token[1] || v_token[2] = 'or' THEN
			v_or := true;
			CONTINUE;
		END IF;
		SELECT CASE WHEN left(v_token[2], 1) = '"' THEN phraseto_tsquery('simple', knowledge_fold(knowledge_atoms(v_token[2])))
			ELSE (SELECT string_agg('(' || u.query::text || ')', ' & ')::tsquery FROM knowledge_units(v_token[2], p_language) u) END
			INTO v_word;
		IF v_word IS NULL OR numnode(v_word) = 0 THEN
			CONTINUE;
		ELSIF v_token[1] = '-' THEN
			v_not := coalesce(v_not || v_word, v_word);
		ELSIF v_or AND v_any IS NOT NULL THEN
			v_any := v_any || v_word;
		ELSE
			v_all := coalesce(v_all && v_any, v_any);
			v_any := v_word;
		END IF;
		v_or := false;
	END LOOP;
	v_all := coalesce(v_all && v_any, v_any);
	RETURN CASE WHEN v_not IS NULL THEN v_all ELSE v_all && !!v_not END;
END $$;
COMMENT ON FUNCTION knowledge_operators(text, text) IS 'What a query with operators asks for';

DROP FUNCTION knowledge_search(text, double precision, integer);
DROP FUNCTION knowledge_query(text);

-- score, 0 to 1: half is the share of the words that the passage has, half ts_rank_cd(). A passage needs half of the
-- words, or two of them that are a fifth; and more than half of what the best one has.
CREATE FUNCTION knowledge_search(p_query text, p_operators boolean, p_floor double precision, p_limit integer)
RETURNS TABLE (document_id bigint, title text, number bigint, first bigint, last bigint, content text, score double precision,
	alike boolean)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	v_languages text[] := ARRAY(SELECT DISTINCT d.language FROM knowledge_documents d);
	v_misspelled jsonb := CASE WHEN p_operators THEN '{}' ELSE knowledge_misspelled(p_query, v_languages) END;
BEGIN
	RETURN QUERY WITH wanted AS MATERIALIZED (
		SELECT l, w.query, w.weight, w.alike FROM unnest(v_languages) l, knowledge_wanted(p_query, l, v_misspelled) w WHERE NOT p_operators
		UNION ALL SELECT l, o.query, 1, false FROM unnest(v_languages) l, knowledge_operators(p_query, l) AS o (query)
			WHERE p_operators AND o.query IS NOT NULL
	), whole AS (
		SELECT w.l, sum(w.weight) AS weight, string_agg('(' || w.query::text || ')', ' | ')::tsquery AS query FROM wanted w GROUP BY 1
	), hits AS (
		SELECT c.document_id, c.number, w.l, count(*) AS words, sum(CASE WHEN w.alike THEN w.weight / 2 ELSE w.weight END) AS got,
			bool_or(w.alike) AS alike
		FROM wanted w JOIN knowledge_chunks c ON c.words @@ (quote_literal('#' || w.l)::tsquery && w.query) GROUP BY 1, 2, 3
	), shares AS (
		SELECT h.*, h.got / w.weight AS share, w.query, max(h.got / w.weight) OVER () AS best FROM hits h JOIN whole w USING (l)
	), good AS (
		SELECT * FROM shares s WHERE (s.share >= 0.5 OR (s.words >= 2 AND s.share >= 0.2)) AND s.share > s.best / 2
		ORDER BY s.share DESC, s.document_id, s.number LIMIT 200
	), ranked AS (
		SELECT c.document_id, c.number, c.first, c.last, c.content, g.alike,
			0.5 * g.share + ts_rank_cd(c.words, g.query, 32) / 2 AS score
		FROM good g JOIN knowledge_chunks c USING (document_id, number)
	)
	SELECT r.document_id, d.title, r.number::bigint, r.first, r.last, r.content, r.score, r.alike
	FROM ranked r JOIN knowledge_documents d ON d.id = r.document_id
	WHERE r.score >= p_floor ORDER BY r.score DESC, r.document_id, r.number LIMIT p_limit;
END $$;
COMMENT ON FUNCTION knowledge_search(text, boolean, double precision, integer) IS 'Passages that fit, the best first, none under the floor; alike: a word was misspelled';
