"""benchbox from Python, for notebooks and scripts: what `import benchbox` offers.

`python_functions` is the front door, `result_values` what it returns, `frames` makes tables of
pandas, which nothing else imports.
"""
