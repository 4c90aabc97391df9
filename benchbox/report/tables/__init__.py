"""From results and paper rows to table values: leaderboards, ranks, costs, exports.

Pages print them.
"""
