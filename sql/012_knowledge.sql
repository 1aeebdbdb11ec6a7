-- SPDX-License-Identifier: ISC
-- The knowledge base: documents, their passages, and the search over them.

CREATE TABLE knowledge_documents (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	title         text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
	source        text CHECK (length(source) BETWEEN 1 AND 255),
	content       text NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 1048576),
	sha256        text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
	author_id     bigint REFERENCES users ON DELETE SET NULL,
	created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	updated_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX knowledge_documents_source ON knowledge_documents (source) WHERE source IS NOT NULL;
CREATE INDEX knowledge_documents_author ON knowledge_documents (author_id) WHERE author_id IS NOT NULL;

COMMENT ON TABLE knowledge_documents IS 'Texts that answers may draw on; /api/knowledge, parlourctl knowledge load';
COMMENT ON COLUMN knowledge_documents.id IS 'Number';
COMMENT ON COLUMN knowledge_documents.title IS 'What citations call it';
COMMENT ON COLUMN knowledge_documents.source IS 'File name it was loaded from; NULL: came over the API';
COMMENT ON COLUMN knowledge_documents.content IS 'Whole text';
COMMENT ON COLUMN knowledge_documents.sha256 IS 'Of the text; a file is loaded again only when this differs';
COMMENT ON COLUMN knowledge_documents.author_id IS 'User who put it there; NULL: parlourctl';
COMMENT ON COLUMN knowledge_documents.created_at IS 'When it came';
COMMENT ON COLUMN knowledge_documents.updated_at IS 'When its text came';

CREATE TABLE knowledge_chunks (
	document_id   bigint NOT NULL REFERENCES knowledge_documents ON DELETE CASCADE,
	number        integer NOT NULL,
	first         bigint NOT NULL,
	last          bigint NOT NULL CHECK (last > first),
	content       text NOT NULL,
	words         tsvector GENERATED ALWAYS AS (to_tsvector('english', content) || to_tsvector('simple', content)) STORED,
	PRIMARY KEY (document_id, number)
);
CREATE INDEX knowledge_chunks_words ON knowledge_chunks USING gin (words);

COMMENT ON TABLE knowledge_chunks IS 'Passages of documents, about 1000 characters each, overlapping';
COMMENT ON COLUMN knowledge_chunks.document_id IS 'Document';
COMMENT ON COLUMN knowledge_chunks.number IS 'Place in the document, from 1';
COMMENT ON COLUMN knowledge_chunks.first IS 'First character, from 0';
COMMENT ON COLUMN knowledge_chunks.last IS 'Character behind the last one';
COMMENT ON COLUMN knowledge_chunks.content IS 'Text';
COMMENT ON COLUMN knowledge_chunks.words IS 'What is searched: English stems, and the words as they stand';

CREATE VIEW knowledge_rows AS
	SELECT d.id, d.title, d.source, octet_length(d.content)::bigint AS bytes, d.sha256,
		(SELECT count(*) FROM knowledge_chunks c WHERE c.document_id = d.id) AS chunks, u.username AS author,
		d.created_at, d.updated_at
	FROM knowledge_documents d LEFT JOIN users u ON u.id = d.author_id;
COMMENT ON VIEW knowledge_rows IS 'Documents without their text, in the column order that the daemon reads';

-- p_chunks: [{"from","to","text"}]. A source that is there already with the same SHA-256 stays untouched.
CREATE FUNCTION knowledge_put(p_source text, p_title text, p_content text, p_sha256 text, p_user bigint, p_chunks text)
RETURNS TABLE (status text, fresh boolean, id bigint, title text, source text, bytes bigint, sha256 text, chunks bigint,
	author text, created_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	v_id bigint;
	v_sha256 text;
BEGIN
	IF p_source IS NOT NULL THEN
		PERFORM pg_advisory_xact_lock(hashtextextended('parlour knowledge ' || p_source, 0));
		SELECT d.id, d.sha256 INTO v_id, v_sha256 FROM knowledge_documents d WHERE d.source = p_source FOR UPDATE;
	END IF;
	IF v_id IS NULL THEN
		INSERT INTO knowledge_documents AS d (title, source, content, sha256, author_id)
			VALUES (p_title, p_source, p_content, p_sha256, nullif(p_user, 0)) RETURNING d.id INTO v_id;
	ELSIF v_sha256 <> p_sha256 THEN
		UPDATE knowledge_documents d SET title = p_title, content = p_content, sha256 = p_sha256,
			updated_at = clock_timestamp() WHERE d.id = v_id;
		DELETE FROM knowledge_chunks c WHERE c.document_id = v_id;
	END IF;
	IF v_sha256 IS DISTINCT FROM p_sha256 THEN
		INSERT INTO knowledge_chunks (document_id, number, first, last, content)
			SELECT v_id, j.ord, (j.e ->> 'from')::bigint, (j.e ->> 'to')::bigint, j.e ->> 'text'
			FROM jsonb_array_elements(p_chunks::jsonb) WITH ORDINALITY AS j (e, ord);
	END IF;
	RETURN QUERY SELECT 'ok', v_sha256 IS DISTINCT FROM p_sha256, v.* FROM knowledge_rows v WHERE v.id = v_id;
END $$;
COMMENT ON FUNCTION knowledge_put(text, text, text, text, bigint, text) IS 'Stores a document with its passages; one that has a source replaces what came from there before. fresh: the text was stored';

CREATE FUNCTION knowledge_delete(p_id bigint) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM knowledge_documents d WHERE d.id = p_id;
	RETURN CASE WHEN FOUND THEN 'ok' ELSE 'not_found' END;
END $$;
COMMENT ON FUNCTION knowledge_delete(bigint) IS 'Deletes a document with its passages: ok, not_found';

-- A question in plain words is not a list of words that must all be there, so any of its stems may match ("or" between
-- them, unless the query says what must not be there); what matches as it was written ranks first.
CREATE FUNCTION knowledge_query(p_query text) RETURNS tsquery
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN position('!' IN w.english::text) > 0 THEN w.english
		ELSE replace(w.english::text, ' & ', ' | ')::tsquery || websearch_to_tsquery('simple', p_query) END
	FROM (SELECT websearch_to_tsquery('english', p_query) AS english) w
$$;
COMMENT ON FUNCTION knowledge_query(text) IS 'What a question asks for: any of its stems, or all of its words as they stand';

-- score, 0 to 1: half is the share of the query's stems that the passage has, half ts_rank_cd().
CREATE FUNCTION knowledge_search(p_query text, p_floor double precision, p_limit integer)
RETURNS TABLE (document_id bigint, title text, number bigint, first bigint, last bigint, content text, score double precision)
LANGUAGE sql STABLE AS $$
	WITH q AS MATERIALIZED (
		SELECT knowledge_query(p_query) AS query, tsvector_to_array(to_tsvector('english', p_query)) AS stems
	), hits AS (
		SELECT c.*, ts_rank_cd(c.words, q.query, 32) / 2 + 0.5 * coalesce((SELECT count(*) FROM unnest(q.stems) s
			WHERE c.words @@ (quote_literal(s)::tsquery))::double precision / nullif(cardinality(q.stems), 0), 1) AS score
		FROM q, knowledge_chunks c WHERE c.words @@ q.query
	)
	SELECT h.document_id, d.title, h.number::bigint, h.first, h.last, h.content, h.score
	FROM hits h JOIN knowledge_documents d ON d.id = h.document_id
	WHERE h.score >= p_floor ORDER BY h.score DESC, h.document_id, h.number LIMIT p_limit
$$;
COMMENT ON FUNCTION knowledge_search(text, double precision, integer) IS 'Passages that match, the best first, none under the floor';
