"""Results against results (`compare`, `regression_gate`), against papers (`check_papers`), against conventions (`explain`)."""
