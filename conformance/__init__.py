"""Other projects' lists of functions, tried on the companion: `make conformance`.

It is no test (it takes minutes, and draws new samples with every seed) and no benchmark (nothing is
timed), so it has a folder of its own; tests/test_conformance.py runs a small part of it.

oracle.py    one judge for all: each derivative against a difference quotient of the one below
verdicts.py  what a sample may come to, and the table
ops.py       the operators on torch's own database of functions, op_db
beyond.py    ... and on those that torch cannot differentiate
modules.py   the operators on torch's own database of layers, module_db
itself.py    torch's nested reverse mode on both databases: where torch itself is wrong
jax_jet.py   operators and engines on the list of jax.experimental.jet
hips.py      engines on the NumPy functions that HIPS autograd differentiates
programs.py  random programs through every engine and the operators
page.py      the result as it stands in the book
pool.py      all entries on all cores

Each database is two functions: names() lists its entries, and trial(name, seed, ...) gives a Tally of
one of them. They depend on nothing but the seed, so any line of the table can be run again alone.
"""
