// Package webhook is the sink that posts lines to an HTTP endpoint.
//
// # Requests
//
// One POST holds the lines of one delivery, in order, as newline-delimited
// JSON (application/x-ndjson) or as one JSON array; either way each event is
// the very bytes that the journal chains, so a receiver can check the hashes.
// Redirects are not followed. Every event arrives at least once; "id" tells a
// receiver what it has already.
//
// # Answers
//
//   - 2xx: the endpoint has them all.
//   - 400, 413, 422: it cannot take something in the request. The lines are
//     halved until the event that it does not take is alone. That one is sent
//     again without contents, marked with "content_removed":true: of "before"
//     and "after" nothing but size and digest stays. What is refused even so
//     is passed over, counted and logged, so that one event never holds up
//     the others, but only if the endpoint takes another event: one that it
//     took before, or a later one. One that refuses everything is waited for.
//   - anything else, and no answer at all: the lines wait in the journal and
//     are sent again. Retry-After is heeded.
//
// Nothing of an answer's body, and no credential in the URL, reaches an error.
package webhook
