"""The one place that knows a record: its schema, and the manifest, writer, reader and verification of a corpus."""
