"""The headings that the statements of a snapshot stand under."""

SECTIONS = {
    "SCHEMA": "Schemas",
    "EXTENSION": "Extensions",
    "TYPE": "Types",
    "SHELL TYPE": "Types",
    "DOMAIN": "Types",
    "COLLATION": "Types",
    "FUNCTION": "Functions",
    "PROCEDURE": "Functions",
    "AGGREGATE": "Functions",
    "TABLE": "Tables",
    "FOREIGN TABLE": "Tables",
    "TABLE ATTACH": "Tables",
    "SEQUENCE": "Sequences",
    "SEQUENCE OWNED BY": "Sequences",
    "DEFAULT": "Defaults",
    "VIEW": "Views",
    "MATERIALIZED VIEW": "Views",
    "RULE": "Rules, and views that need a key",
    "CHECK CONSTRAINT": "Constraints",
    "CONSTRAINT": "Constraints",
    "FK CONSTRAINT": "Foreign keys",
    "INDEX": "Indexes",
    "INDEX ATTACH": "Indexes",
    "STATISTICS": "Statistics",
    "TRIGGER": "Triggers",
    "EVENT TRIGGER": "Event triggers",
    "POLICY": "Policies",
    "ROW SECURITY": "Policies",
    "ACL": "Grants",
    "DEFAULT ACL": "Grants",
    "COMMENT": "Comments",
    "SECURITY LABEL": "Comments",
    "PUBLICATION": "Publications",
    "PUBLICATION TABLE": "Publications",
    "PUBLICATION TABLES IN SCHEMA": "Publications",
}
"""The heading of each kind of entry; what is not here comes under "Other objects"."""

KEYS = "Keys"
"""The heading of what tells rows apart, which ON CONFLICT needs."""

AFTER_THE_ROWS = {
    KEYS,
    "Constraints",
    "Foreign keys",
    "Indexes",
    "Statistics",
    "Rules, and views that need a key",
    "Triggers",
    "Event triggers",
    "Policies",
    "Publications",
    "Grants",
    "Comments",
}
"""What pg_restore makes after the rows: they would slow them down, refuse them or fire for them."""
