"""`pytest -m faults tests/faults`: what is killed, cut or made to fail costs no event and counts none twice."""
