"""The one place that knows a record: its schema, manifest, writer, reader and verification."""
