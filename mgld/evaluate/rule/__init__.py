"""How the rule judge reads one answer: its words, its claims, its weight.

legible -> reading -> naming, places -> neighbours, clauses -> claims, hints -> rivals -> weighing;
`words` are the lists. Definition: docs/definitions.md, "Grading".
"""
