// Package queries parses the queries of the dashboards with the parsers of
// Prometheus and Loki, and runs those for Loki over audit records. It is a module
// of its own, for Loki brings some hundred others; it replaces what Loki replaces.
package queries
