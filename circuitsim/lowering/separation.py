"""Does a rule separate into a sum of products f(post) g(pre) h(w)? Then matrix products can do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy

from circuitsim.locality import Place, Reading

ONE = sympy.Integer(1)


@dataclass(frozen=True)
class Product:
    """One term: f of the postsynaptic memory, g of the presynaptic one, h of the weight; 1 where absent."""

    post: sympy.Expr
    pre: sympy.Expr
    synapse: sympy.Expr


def separate(expression: sympy.Expr, symbols: Mapping[sympy.Symbol, Reading | str]) -> list[Product] | None:
    """Return the products whose sum is the expression, as few as grouping finds, or None where it does not separate."""
    products: list[Product] = []
    for term in sympy.Add.make_args(expression):
        found = _split(term, symbols)
        if found is None:
            expanded = sympy.expand(term)
            if expanded == term:
                return None
            rest = separate(expanded, symbols)
            if rest is None:
                return None
            products += rest
        else:
            products.append(found)
    return [p for p in _merge(products) if ONE * p.post * p.pre * p.synapse != 0]


def _split(term: sympy.Expr, symbols: Mapping[sympy.Symbol, Reading | str]) -> Product | None:
    """Sort a term's factors by the place they read; None where a factor reads two places at once."""
    parts: dict[Place, sympy.Expr] = {Place.POST: ONE, Place.PRE: ONE, Place.SYNAPSE: ONE}
    constant = ONE
    for factor in sympy.Mul.make_args(term):
        meanings = [symbols[s] for s in factor.free_symbols]
        # a weight elsewhere has the shape of the synapse's own and is treated like it
        places = {Place.SYNAPSE if m.place is Place.REMOTE else m.place for m in meanings if isinstance(m, Reading)}
        places = {Place.POST if place is Place.THIRD else place for place in places}  # one number for each neuron
        if len(places) > 1 or Place.TRACE in places:
            return None
        if places:
            parts[places.pop()] *= factor
        else:
            constant *= factor
    # a constant goes where the fewest numbers are multiplied: into the neurons' factor before the synapses'
    home = next((p for p in (Place.POST, Place.PRE) if parts[p] != ONE), Place.SYNAPSE)
    parts[home] *= constant
    return Product(parts[Place.POST], parts[Place.PRE], parts[Place.SYNAPSE])


def _merge(products: list[Product]) -> list[Product]:
    """Add up terms that share two of their factors: (a - b) g takes one matrix product, a g - b g two."""
    by_pre: dict[tuple[sympy.Expr, sympy.Expr], sympy.Expr] = {}
    for p in products:
        by_pre[p.pre, p.synapse] = by_pre.get((p.pre, p.synapse), sympy.Integer(0)) + p.post
    by_post: dict[tuple[sympy.Expr, sympy.Expr], sympy.Expr] = {}
    for (pre, synapse), post in by_pre.items():
        by_post[post, synapse] = by_post.get((post, synapse), sympy.Integer(0)) + pre
    return [Product(post, pre, synapse) for (post, synapse), pre in by_post.items()]
