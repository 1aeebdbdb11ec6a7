-- SPDX-License-Identifier: ISC
-- Rights of the roles that `parlourctl initdb` creates. Applied again after every migration; a role that does not exist is
-- skipped, so that a database without these roles (of a developer) works, too.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;

DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'parlour_app') THEN
		GRANT USAGE ON SCHEMA public TO parlour_app;
		GRANT SELECT, INSERT, UPDATE, DELETE ON users, names, login_sessions, roles, rooms, members, room_roles, room_texts, room_bans, messages,
			room_changes, generations, idempotency_keys, limit_hits,
			sessions, session_messages, session_slots, provider_keys, usage, usage_series,
			feedback, feedback_requests, jobs, import_ids, preferences, dashboards, knowledge_documents, knowledge_chunks, knowledge_terms,
			query_history, model_prices, session_questions, account_tokens, blocks, message_versions, reactions, pins, invites, invite_uses, second_factors, recovery_codes, mfa_tickets, login_locks,
			notifications, notification_queue, drafts, member_marks, notification_settings, notification_digests, user_identities, oidc_flows, oidc_codes, reserved_names, account_exports,
			account_export_parts TO parlour_app;
		REVOKE DELETE ON users, roles FROM parlour_app;
		GRANT SELECT, INSERT ON audit TO parlour_app;
		GRANT SELECT ON schema_migrations, message_rows, log_rows, usage_rows, usage_answers, feedback_request_rows,
			knowledge_rows TO parlour_app;
		GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO parlour_app;
		GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO parlour_app;
	END IF;
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'parlour_report') THEN
		GRANT USAGE ON SCHEMA public TO parlour_report;
		GRANT SELECT ON v_rooms, v_messages, v_room_activity, v_limits_hit, v_logins, v_api_keys, v_generations, v_unanswered,
			v_spend_today, v_usage, v_session_data, v_feedback, v_feedback_requests, v_jobs, v_outbox,
			v_knowledge, v_questions, v_prices, v_audit
			TO parlour_report;
	END IF;
END $$;
