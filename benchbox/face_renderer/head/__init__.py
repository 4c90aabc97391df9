"""The head itself: shape, expression, lids, skin, hair, and its landmarks in every layout."""
