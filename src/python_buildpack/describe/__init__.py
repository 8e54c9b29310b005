"""What was built: SBOM, labels, the report, the summary."""
