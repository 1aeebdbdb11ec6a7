# SPDX-License-Identifier: ISC
"""What the front ends and API tests of the five systems send and read besides what their documents print.

CLIENTS: (id, what the client sends or reads, rows of rows.py that it belongs to, verdict, note, tests). The id is
"document.name". verdict, note and tests are as in rows.py. A row of rows.py works only if all its rows here work. After
a change, run python3 tests/seeds/listing.py.
"""

WORKS, LATER, NOT_OURS = "works", "later", "not-ours"
SYSTEMS = {"000": "AGENT BI", "001": "Interactive Agent Chat", "002": "ProdLens", "003": "Hedge fund chatbot", "004": "Virtual Company"}

CLIENTS = [
    ("000.query-reply", "the reply of POST /api/query also has query_id, result, visualization, and more members of intent", (19, 26), WORKS, "",
     "test_client_000.test_query_reply test_client_000.test_page"),
    ("000.query-error", "a question with context that is not understood gets 200 with error; a trailing [digits] is ignored", (19, 26), WORKS, "",
     "test_client_000.test_query_error test_client_000.test_query_number_in_brackets test_client_000.test_page"),
    ("000.suggestions", "GET /api/suggestions gives strings; a new user gets some", (20,), WORKS, "",
     "test_client_000.test_suggestions_of_a_new_user test_client_000.test_suggestions_as_text test_client_000.test_page"),
    ("000.feedback", "POST /api/feedback takes query_id, rating, feedback_text", (21,), WORKS, "",
     "test_client_000.test_feedback test_client_000.test_page"),
    ("000.dashboard", "cards and layouts with that system's fields; a default layout with 200", (22, 27), WORKS,
     "a default layout where the setting dashboard_default is on or the request has ?default=1",
     "test_client_000.test_dashboard test_client_000.test_dashboard_cards test_client_000.test_dashboard_never_saved test_client_000.test_page"),
    ("000.profile", "the profile also has user_id, chart_preferences, color_scheme, expertise_level", (23, 28), WORKS, "",
     "test_client_000.test_profile test_client_000.test_page"),
    ("000.socket", "frame query with message gets one response; system has a timestamp", (33,), WORKS, "",
     "test_client_000.test_socket test_client_000.test_page"),
    ("000.anonymous", "queries and suggestions without a token", (11,), WORKS,
     "where the setting anonymous names query and suggestions; about what everybody may see",
     "test_client_000.test_anonymous_sees_nothing_of_private_rooms test_client_000.test_anonymous_asks_for_nobody "
     "test_client_000.test_anonymous_suggestions test_client_000.test_anonymous_socket test_client_000.test_page_without_a_token"),

    ("001.session-frames", "start_session, session_started, session_update, send_message, agent_status, ping on /ws/{id}", (45,), WORKS, "",
     "test_client_001.test_session_frames test_client_001.test_page test_agent_socket.test_a_whole_session"),
    ("001.feedback-in-session", "feedback requests of the session appear in session_update", (47,), WORKS, "",
     "test_client_001.test_feedback_requests_of_the_session test_agent_socket.test_feedback_requests"),
    ("001.greeting-first", "the greeting comes before session_started", (45,), WORKS, "",
     "test_client_001.test_the_greeting_comes_before_session_started test_agent_socket.test_the_greeting_comes_first"),
    ("001.is-active", "GET /api/auth/me has is_active", (3,), WORKS, "",
     "test_client_001.test_me_is_active"),

    ("002.refresh", "POST /auth/refresh takes user name and password", (5,), WORKS, "",
     "test_client_002.test_refresh_by_password test_client_002.test_refresh_by_password_counts_as_login test_page_002.test_page"),
    ("002.health", "/health also has timestamp, database_connected, prodlens_cache_exists; / has message, status", (24, 25), WORKS, "",
     "test_client_002.test_health_fields test_client_002.test_root_fields test_page_002.test_page"),
    ("002.insights", "/api/insights also has generated_at; correlations have count, lag_days, effect_size", (58, 59), WORKS, "",
     "test_client_002.test_insights_fields test_page_002.test_page"),
    ("002.kpis", "its nine KPIs with value, unit, threshold, and the states good, warning, critical", (52,), WORKS, "",
     "test_kpis_002.test_nine_numbers_without_data test_kpis_002.test_nine_numbers_from_sessions_and_series test_page_002.test_page"),
    ("002.series", "KPIs from commits, pull requests, and rework by day and developer; approved models", (52,), WORKS, "",
     "test_kpis_002.test_nine_numbers_from_sessions_and_series test_kpis_002.test_ours_and_those_with_data"),
    ("002.parameters", "the query parameters since, lag_days, sort_by, sort_order", (57,), WORKS, "",
     "test_client_002.test_since_is_start test_client_002.test_lag_days test_client_002.test_sort_by_and_sort_order test_page_002.test_page"),
    ("002.profile", "the profile also has developer_id and sums of its usage sessions", (23,), WORKS, "",
     "test_client_002.test_profile_sums test_client_002.test_profile_without_a_token test_page_002.test_page"),
    ("002.session-fields", "usage sessions also have tokens_in, tokens_out, latency_ms, status_code, diff_ratio, accepted_lines, repo_slug",
     (55, 56), WORKS, "",
     "test_client_002.test_session_fields test_client_002.test_session_fields_on_the_socket test_client_002.test_its_table_as_csv test_page_002.test_page"),
    ("002.page-members", "a page also has sessions, total_count, has_more", (54, 57), WORKS, "",
     "test_client_002.test_page_members test_page_002.test_page"),
    ("002.metrics-update", "metrics_update is its newer name of a frame of /ws/metrics", (60,), WORKS, "",
     "test_kpis_002.test_metrics_update_on_the_socket test_page_002.test_page"),
    ("002.sqlite", "its SQLite file is imported", (63,), WORKS, "",
     "test_prodlens_002.test_it_is_imported test_prodlens_002.test_again_stores_nothing_twice test_prodlens_002.test_dry_run"),
    ("002.demo", "demo accounts demo/demo123 and others", (6,), WORKS, "",
     "test_prodlens_002.test_demo_accounts test_page_002.test_page"),

    ("003.stream", "POST /api/chat/stream: unnamed events chunk, email_sent, done, error", (76,), WORKS, "",
     "test_client_003.test_stream test_client_003.test_stream_tells_of_the_mail test_client_003.test_stream_errors "
     "test_client_003.test_page"),
    ("003.greeting", "GET /api/greeting has greeting", (77,), WORKS, "",
     "test_client_003.test_greeting test_client_003.test_page"),
    ("003.session-fields", "sessions also have status, timestamp; one session also has data and conversation_history", (73, 74, 75), WORKS, "",
     "test_client_003.test_session_fields test_client_003.test_session_list_fields test_client_003.test_page"),
    ("003.health", "/health also has rag_ready, storage_ready, email_ready", (24,), WORKS, "",
     "test_client_003.test_health test_client_003.test_page"),
    ("003.guests", "a page loaded again and again does not lock guests out", (73, 78), WORKS, "",
     "test_client_003.test_guests_who_load_the_page_again test_client_003.test_page"),

    ("004.frame-in", "a frame with content, and with role_id of the role that answers", (87,), WORKS, "",
     "test_client_004.test_an_ai_answers_with_the_printed_routes_alone test_client_004.test_role_id_names_the_one_role_that_answers"),
    ("004.roles-of-the-owner", "a room made without role_ids takes the roles of its owner, so that an AI answers", (84, 87), WORKS, "",
     "test_client_004.test_an_ai_answers_with_the_printed_routes_alone "
     "test_client_004.test_a_room_takes_the_roles_of_its_owner_for_everybody "
     "test_client_004.test_with_an_empty_list_a_room_takes_none"),
    ("004.message-fields", "messages also have user, timestamp, message_type; the history takes limit and offset", (85, 89), WORKS, "",
     "test_client_004.test_message_fields test_client_004.test_history_takes_limit_and_offset"),
    ("004.role-fields", "roles with ai_instructions, avatar, description, user_id, and names with blanks", (83,), WORKS, "",
     "test_client_004.test_role_fields test_client_004.test_a_role_with_blanks_is_mentioned_as_it_is_called"),
    ("004.models", "models also have name, provider; rooms also have created_by", (84, 86), WORKS, "",
     "test_client_004.test_models_and_rooms"),
    ("004.signaling", "offer, answer, ice_candidate without to reach all others, without join", (88,), WORKS, "",
     "test_client_004.test_signaling_without_join test_signaling.test_to_all_others_without_joining"),
    ("004.join-frames", "join and leave frames on the room socket", (87,), WORKS, "",
     "test_ws_chat.test_join_and_leave_frames"),
]


def missing(number):
    """Returns the ids of the rows here that prevent a row of rows.py from working."""
    return [row[0] for row in CLIENTS if number in row[2] and row[3] == LATER]


def summary():
    """Returns lines for the end of a test run."""
    lines = [f"{said:<8} {name}: {what}" + (f" ({note})" if note else "") for name, what, _, said, note, _ in CLIENTS]
    counts = {kind: sum(row[3] == kind for row in CLIENTS) for kind in (WORKS, LATER, NOT_OURS)}
    return lines + [f"{len(CLIENTS)} rows of clients: " + ", ".join(f"{count} {kind}" for kind, count in counts.items())]
