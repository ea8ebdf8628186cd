"""The exercises of the book, checked: check("ex-04-rules", answer).

checking.py   check: a label and an answer -> a Verdict
answers.py    of what kind an answer is, and what a student's function does when it is called
verdicts.py   what is said of an answer, and how numbers are compared

ch01.py and its neighbours hold the checkers, one function for each exercise, under its label; they are
imported when one of theirs is asked for, so that Part I needs NumPy alone.
"""

from companion.practice.checking import check

__all__ = ["check"]
