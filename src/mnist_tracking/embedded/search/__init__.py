"""Search: a SearchExpression compiled to one SQL condition over the indexed tables."""
