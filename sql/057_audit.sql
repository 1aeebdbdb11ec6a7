-- SPDX-License-Identifier: ISC
-- The audit trail is written in the transaction of the act: by triggers for accounts, login sessions, provider keys,
-- members, rooms, and roles, no matter if the server, parlourctl, or a statement in psql changes them, and by audit_add()
-- for the rest. Who acts is in parlour.caller, which the server sets for the transaction.

ALTER TABLE audit ADD COLUMN before jsonb;
ALTER TABLE audit RENAME COLUMN body TO after;
CREATE INDEX audit_target ON audit (target, created_at);
CREATE INDEX audit_action ON audit (action, id);
CREATE INDEX audit_created ON audit (created_at);
COMMENT ON TABLE audit IS 'Security-relevant acts: who did what to accounts, login sessions, keys, rooms, and settings; parlourctl audit. Rows are never changed';
COMMENT ON COLUMN audit.actor_id IS 'users.id; 0: the system, parlourctl, or a statement in psql (see address)';
COMMENT ON COLUMN audit.action IS 'login, password changed, account disabled ...';
COMMENT ON COLUMN audit.target IS 'Subject of the act, such as user:7; NULL: none';
COMMENT ON COLUMN audit.address IS 'Client address; parlourctl:USER; or program and database role of a statement that neither of them made';
COMMENT ON COLUMN audit.before IS 'State before the act, as far as it matters; no texts, e-mail addresses, or secrets';
COMMENT ON COLUMN audit.after IS 'State after the act, or details of it; no texts, e-mail addresses, or secrets';
COMMENT ON COLUMN audit.created_at IS 'Time of the act';

CREATE FUNCTION audit_caller(OUT actor bigint, OUT address text, OUT request text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v text[] := string_to_array(nullif(current_setting('parlour.caller', true), ''), ' ');
BEGIN
	actor := coalesce(v[1]::bigint, 0);
	address := CASE WHEN v IS NULL THEN current_setting('application_name') || ' as ' || session_user ELSE nullif(v[2], '-') END;
	request := nullif(v[3], '-');
END $$;
COMMENT ON FUNCTION audit_caller() IS 'Who acts in this transaction: setting parlour.caller, "USER ADDRESS REQUEST" with - for what is unknown; without it program and database role';

CREATE FUNCTION audit_add(p_act text, p_target text, p_before jsonb DEFAULT NULL, p_after jsonb DEFAULT NULL, p_self bigint DEFAULT NULL)
RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
	INSERT INTO audit (actor_id, action, target, address, request_id, before, after)
	SELECT CASE WHEN c.actor = 0 AND c.request IS NOT NULL THEN coalesce(p_self, 0) ELSE c.actor END,
		p_act, p_target, c.address, c.request, p_before, p_after FROM audit_caller() c
$$;
COMMENT ON FUNCTION audit_add(text, text, jsonb, jsonb, bigint) IS 'Records an act in the transaction that does it. p_before, p_after: small objects without texts, e-mail addresses, and secrets. p_self: the account that acts when the request has no token';

CREATE FUNCTION audit_add_bounded(p_act text, p_target text, p_most integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	v_count bigint := (SELECT count(*) FROM (SELECT FROM audit a WHERE a.target = p_target AND a.action = p_act
		AND a.created_at > clock_timestamp() - interval '1 hour' LIMIT p_most) s);
BEGIN
	IF v_count < p_most THEN
		PERFORM audit_add(p_act, p_target, NULL, CASE WHEN v_count = p_most - 1 THEN '{"more_recorded": false}'::jsonb END);
	END IF;
END $$;
COMMENT ON FUNCTION audit_add_bounded(text, text, integer) IS 'audit_add() for acts that a stranger can repeat: at most p_most per subject and hour are recorded, and the last of them says so';

CREATE FUNCTION audit_users() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	v_target text;
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM audit_add('account created', 'user:' || NEW.id, NULL, jsonb_build_object('access', NEW.access), NEW.id);
		RETURN NULL;
	ELSIF TG_OP = 'DELETE' THEN
		PERFORM audit_add('account deleted', 'user:' || OLD.id, jsonb_build_object('access', OLD.access), NULL);
		RETURN NULL;
	END IF;
	v_target := 'user:' || NEW.id;
	IF NEW.access <> OLD.access THEN
		PERFORM audit_add('access changed', v_target, jsonb_build_object('access', OLD.access),
			jsonb_build_object('access', NEW.access));
	END IF;
	IF NEW.disabled <> OLD.disabled THEN
		PERFORM audit_add(CASE WHEN NEW.disabled THEN 'account disabled' ELSE 'account enabled' END, v_target,
			jsonb_build_object('disabled', OLD.disabled), jsonb_build_object('disabled', NEW.disabled));
	END IF;
	IF NEW.password_hash IS DISTINCT FROM OLD.password_hash AND coalesce(current_setting('parlour.rehash', true), '') <> 'on' THEN
		PERFORM audit_add('password changed', v_target, NULL, NULL, NEW.id);
	END IF;
	IF lower(NEW.email) IS DISTINCT FROM lower(OLD.email) THEN
		PERFORM audit_add('e-mail address changed', v_target, jsonb_build_object('set', OLD.email IS NOT NULL),
			jsonb_build_object('set', NEW.email IS NOT NULL), NEW.id);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION audit_users() IS 'Records in the audit trail what happens to accounts';
CREATE TRIGGER audit_users AFTER INSERT OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION audit_users();
CREATE TRIGGER audit_users_changed AFTER UPDATE ON users FOR EACH ROW
	WHEN ((OLD.access, OLD.disabled, OLD.password_hash, OLD.email) IS DISTINCT FROM (NEW.access, NEW.disabled, NEW.password_hash, NEW.email))
	EXECUTE FUNCTION audit_users();

-- Per statement, because one may end 100,000 of them. A row of another kind than a login is a key for programs.
CREATE FUNCTION audit_logins() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_nestloop = off AS $$
DECLARE
	v record;
BEGIN
	IF NOT EXISTS (SELECT FROM rows_now n WHERE TG_OP = 'INSERT' OR n.ended_at IS NOT NULL) THEN
		RETURN NULL;
	END IF;
	SELECT * INTO v FROM audit_caller();
	IF TG_OP = 'INSERT' THEN
		INSERT INTO audit (actor_id, action, target, address, request_id, after)
			SELECT CASE WHEN v.actor = 0 AND v.request IS NOT NULL THEN n.user_id ELSE v.actor END,
				CASE coalesce(to_jsonb(n) ->> 'kind', 'login') WHEN 'login' THEN 'login' ELSE (to_jsonb(n) ->> 'kind') || ' created' END,
				'user:' || n.user_id, v.address, v.request, jsonb_build_object('login', n.id)
			FROM rows_now n ORDER BY n.id;
		RETURN NULL;
	END IF;
	INSERT INTO audit (actor_id, action, target, address, request_id, after)
		SELECT CASE WHEN v.actor = 0 AND v.request IS NOT NULL THEN e.user_id ELSE v.actor END, e.kind || ' ended',
			'user:' || e.user_id, v.address, v.request,
			jsonb_build_object('reason', e.end_reason, 'logins', e.ids[1:20], 'count', cardinality(e.ids))
		FROM (SELECT n.user_id, n.end_reason, coalesce(to_jsonb(n) ->> 'kind', 'login') AS kind, array_agg(n.id ORDER BY n.id) AS ids
			FROM rows_now n JOIN rows_before o ON o.id = n.id WHERE o.ended_at IS NULL AND n.ended_at IS NOT NULL
			GROUP BY 1, 2, 3) e ORDER BY e.user_id;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION audit_logins() IS 'Records in the audit trail that login sessions begin, and that they are ended: one row per user and reason, with the first 20';
CREATE TRIGGER audit_logins AFTER INSERT ON login_sessions REFERENCING NEW TABLE AS rows_now
	FOR EACH STATEMENT EXECUTE FUNCTION audit_logins();
CREATE TRIGGER audit_logins_ended AFTER UPDATE ON login_sessions REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_now
	FOR EACH STATEMENT EXECUTE FUNCTION audit_logins();

CREATE FUNCTION audit_provider_keys() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	v_key provider_keys;
BEGIN
	IF TG_OP = 'DELETE' THEN
		v_key := OLD;
	ELSE
		v_key := NEW;
	END IF;
	PERFORM audit_add('provider key ' || CASE TG_OP WHEN 'INSERT' THEN 'stored' WHEN 'UPDATE' THEN 'replaced' ELSE 'deleted' END,
		'user:' || v_key.user_id, NULL, jsonb_build_object('provider', v_key.provider), v_key.user_id);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION audit_provider_keys() IS 'Records in the audit trail what happens to the users'' keys for providers';
CREATE TRIGGER audit_provider_keys AFTER INSERT OR DELETE ON provider_keys FOR EACH ROW EXECUTE FUNCTION audit_provider_keys();
CREATE TRIGGER audit_provider_keys_changed AFTER UPDATE OF sealed ON provider_keys
	FOR EACH ROW WHEN (OLD.sealed <> NEW.sealed) EXECUTE FUNCTION audit_provider_keys();

-- Members who leave by themselves, and those of a room that is deleted, are not recorded.
CREATE FUNCTION audit_members() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		PERFORM audit_add('member level changed', 'room:' || NEW.room_id, jsonb_build_object('user', OLD.user_id, 'level', OLD.level),
			jsonb_build_object('user', NEW.user_id, 'level', NEW.level));
	ELSIF (audit_caller()).actor <> OLD.user_id AND EXISTS (SELECT FROM rooms r WHERE r.id = OLD.room_id) THEN
		PERFORM audit_add('member removed', 'room:' || OLD.room_id, jsonb_build_object('user', OLD.user_id, 'level', OLD.level), NULL);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION audit_members() IS 'Records in the audit trail that members are removed and that their levels change';
CREATE TRIGGER audit_members AFTER DELETE ON members FOR EACH ROW EXECUTE FUNCTION audit_members();
CREATE TRIGGER audit_members_changed AFTER UPDATE OF level ON members
	FOR EACH ROW WHEN (OLD.level <> NEW.level) EXECUTE FUNCTION audit_members();

CREATE FUNCTION audit_removed() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM audit_add(TG_ARGV[0] || ' deleted', TG_ARGV[0] || ':' || OLD.id, jsonb_build_object('owner', OLD.owner_id), NULL);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION audit_removed() IS 'Records in the audit trail that a room or a role is deleted';
CREATE TRIGGER audit_removed AFTER DELETE ON rooms FOR EACH ROW EXECUTE FUNCTION audit_removed('room');
CREATE TRIGGER audit_removed AFTER UPDATE OF deleted_at ON roles
	FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION audit_removed('role');

-- The application may only add and read. Rows leave through this function, and none before it is 30 days old.
CREATE FUNCTION audit_purge(p_days integer, p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	WITH gone AS (
		DELETE FROM public.audit t WHERE t.id = ANY (ARRAY(SELECT s.id FROM public.audit s
			WHERE s.created_at < clock_timestamp() - greatest(p_days, 30) * interval '1 day' ORDER BY s.created_at LIMIT p_limit)) RETURNING 1)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION audit_purge(integer, integer) IS 'Deletes rows of the audit trail that are older than p_days, at least 30; gives how many';
