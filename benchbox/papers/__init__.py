"""What papers print: rows (`reference_rows`), claims (`claims`), contradictions within them (`contradictions`)."""
