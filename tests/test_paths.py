from dlf_jax.paths import flatten, nest


def test_flatten_and_its_inverse():
    tree = {"a": {"b": {"c": 1}, "d": 2}, "e": 3}
    assert flatten(tree) == {"a/b/c": 1, "a/d": 2, "e": 3}
    assert nest(flatten(tree)) == tree
    assert nest({}) == flatten({}) == {}
