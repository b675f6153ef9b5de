"""What the text of a LightGBM model has to be before LightGBM may parse it (pure)."""

from __future__ import annotations

import re

__all__ = ["has_whole_trees"]

_NUMBERS = re.compile(r"[a-z_]+=[-+0-9.einfa ]*")
_OF_A_TREE = frozenset({"num_leaves", "num_cat", "leaf_value", "is_linear", "shrinkage"})
_OF_A_SPLIT_TREE = _OF_A_TREE | {
    *("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child"),
    *("leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count"),
}


def has_whole_trees(text: str) -> bool:
    """Tell whether a model's trees are as long as its header says, of the fields they need."""
    header, start, _ = text.partition("\nTree=0\n")
    sizes = re.search(r"^tree_sizes=([0-9 ]+)$", header, re.MULTILINE)
    first = len(header) + 1
    size = sum(int(size) for size in sizes[1].split()) if sizes else 0
    trees, rest = text[first : first + size], text[first + size :]
    is_whole = rest.startswith("end of trees\n") and "\nend of parameters\n" in rest
    return bool(start) and is_whole and all(map(_is_tree, trees.split("Tree=")[1:]))


def _is_tree(block: str) -> bool:
    lines = [line for line in block.splitlines()[1:] if line]
    keys = {line.partition("=")[0] for line in lines}
    needed = _OF_A_TREE if "num_leaves=1" in lines else _OF_A_SPLIT_TREE
    return needed <= keys and all(_NUMBERS.fullmatch(line) for line in lines)
