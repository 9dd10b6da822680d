"""What arithmetic says about the numbers that the three papers print.

Everything here reads ``covidlib.published`` and nothing else: no image, no run, no record. Printed
numbers stay decimal text until they are compared, so that no binary rounding enters a verdict.
"""
