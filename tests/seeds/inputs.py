# SPDX-License-Identifier: ISC
"""Inputs of real systems that once caused failures: model servers, imports, pasted text, mail servers, tabs, and
proxies.

INPUTS: (id, the input and the correct behavior, tests). The id is "kind.name". Each row is printed at the end of a run.
"""

INPUTS = [
    ("providers.roles-alternate", "two user messages in a row go out as one; a refusal that will not pass is not temporary",
     "test_providers.test_case"),
    ("providers.temperature", "a model that refuses temperature is asked without it, also by forms",
     "test_providers.test_models_that_refuse test_providers.test_form_and_a_model_that_refuses_temperature"),
    ("providers.nameless-events", "Anthropic-compatible events without event lines", "test_providers.test_anthropic_case"),
    ("providers.no-text", "a reason to stop and no text is retried, then an error", "test_providers.test_case"),
    ("providers.capitals", "MAX_TOKENS and STOP in capitals", "test_providers.test_case"),
    ("providers.surrogates", "a surrogate pair split over two deltas", "test_providers.test_case test_providers.test_text_that_comes_in_odd_pieces"),
    ("providers.gemini", "Gemini's errors in an array, usage as 3.0 and after [DONE]", "test_providers.test_case"),
    ("providers.reasoning", "think tags and reasoning_content are kept apart and not sent back",
     "test_providers.test_case test_providers.test_thoughts_stand_beside_the_message test_providers.test_thoughts_in_the_chatbot"),
    ("providers.silence", "headers at once and comment lines while a model is silent",
     "test_streams.test_header_at_once_and_comments_while_the_model_is_silent test_streams.test_the_comment_follows_its_setting"),

    ("imports.byte-order-mark", "a byte order mark before JSON lines, arrays, CSV, and request bodies",
     "test_import_forms.test_texts test_import_forms.test_bodies_with_a_byte_order_mark "
     "test_import_forms.test_accounts_and_rooms_with_a_byte_order_mark_and_times_of_psql"),
    ("imports.times", "times as psql writes them", "test_import_forms.test_times"),
    ("imports.values", "2500.0 for a count, 1 and 0 for a flag", "test_import_forms.test_values"),
    ("imports.csv", "CSV, also with semicolons; an empty last cell", "test_import_forms.test_texts test_import_forms.test_series"),
    ("imports.sqlite", "the SQLite file of ProdLens", "test_prodlens_002.test_it_is_imported"),
    ("text.password", "a password registered in one Unicode form and typed in the other",
     "test_text_forms.test_password_registered_in_one_form_and_typed_in_the_other"),
    ("text.search", "the knowledge base and names of rooms find one Unicode form by the other",
     "test_text_forms.test_knowledge_finds_one_form_by_the_other test_text_forms.test_questions_name_a_room_in_either_form"),
    ("text.blanks", "a blank before or behind a login name", "test_text_forms.test_blank_before_or_behind_a_login_name"),
    ("text.invisible", "names and messages without a visible character are refused",
     "test_text_forms.test_names_without_a_visible_character test_text_forms.test_messages_without_a_visible_character"),
    ("text.address", "an address followed by a zero-width space is refused",
     "test_text_forms.test_address_with_a_zero_width_blank_behind_it"),

    ("mail.slow-server", "a server that takes 20 s after the final dot gets each mail once",
     "test_courier.test_a_server_that_takes_20_s_after_the_final_dot test_courier.test_the_clerk_never_stands_still"),
    ("mail.killed", "kill -9 of the courier at every step: once, or again with the same Message-ID",
     "test_courier.test_killed_at_every_step test_mail.test_a_courier_that_dies_after_the_server_took_it"),
    ("mail.multi-line", "all lines of a refusal are kept", "test_courier.test_the_requests_own_error_has_all_lines"),
    ("mail.smtputf8", "addresses outside ASCII go out with SMTPUTF8, or fail where the server does not offer it",
     "test_courier.test_addresses_outside_ascii test_courier.test_a_server_without_smtputf8"),

    ("browsers.tabs", "four tabs that refresh 30 ms apart with one refresh token",
     "test_accounts.test_four_tabs_refresh_30_ms_apart_with_one_refresh_token test_accounts.test_reuse_after_the_window_kills_the_session"),
    ("proxies.no-body", "a POST without a body behind a proxy that always sends Connection: upgrade", "test_http_front.test_case"),
    ("proxies.upgrade-list", "Upgrade: websocket, h2c", "test_http_upgrade.test_websocket_is_taken_from_the_list_of_upgrade"),
    ("browsers.exposed", "scripts can read Idempotent-Replayed and the other headers", "test_system.test_browser_code_can_read_our_headers"),
]


def summary():
    """Returns lines for the end of a run."""
    return [f"input    {name}: {what}" for name, what, _ in INPUTS]
