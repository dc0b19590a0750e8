"""Metrics of a server, for Prometheus."""

VERBS = {
    "generate": "print a scrape configuration, with a token",
    "metrics": "print the metrics as they are now",
}
EXAMPLES = """\
examples:
  neve admin prometheus generate pavics > prometheus.yml
  neve admin prometheus metrics pavics
"""
