-- SPDX-License-Identifier: ISC
-- Feedback requests are found by the work that waits for them.

CREATE INDEX feedback_requests_run ON feedback_requests (run_id) WHERE run_id IS NOT NULL;
COMMENT ON INDEX feedback_requests_run IS 'For the requests of a chat session, whose id is their run_id';
