"""The bounded cache: it returns what was put, and is cleared when full."""

from __future__ import annotations

from sharing.model.bounded_cache import BoundedCache


def test_a_cache_returns_what_was_put() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    assert cache.get("a") is None
    assert cache.put("a", 1) == 1
    assert cache.get("a") == 1
    assert len(cache) == 1


def test_a_full_cache_is_cleared_before_a_new_key() -> None:
    cache: BoundedCache[int, int] = BoundedCache(3)
    for key in range(10):
        cache.put(key, key)
        assert cache.get(key) == key
        assert len(cache) <= 3
    assert [cache.get(key) for key in range(10)] == [None] * 9 + [9]


def test_replacing_a_value_does_not_clear_a_full_cache() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.put("b", 3)
    assert (cache.get("a"), cache.get("b")) == (1, 3)


def test_a_cleared_cache_is_empty_and_usable() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    cache.put("a", 1)
    cache.clear()
    assert (len(cache), cache.get("a")) == (0, None)
    cache.put("a", 2)
    assert cache.get("a") == 2


def test_the_weight_of_all_results_is_bounded() -> None:
    cache: BoundedCache[int, bytes] = BoundedCache(100, 10, lambda _, value: len(value))
    for key in range(5):
        cache.put(key, bytes(3))
        assert len(cache) <= 3
    assert [cache.get(key) for key in range(5)] == [None, None, None, bytes(3), bytes(3)]
    cache.clear()
    for key in range(3):
        cache.put(key, bytes(3))
    assert len(cache) == 3


def test_a_result_that_is_too_heavy_is_kept_alone() -> None:
    """The caller that puts it asks for it next."""
    cache: BoundedCache[int, bytes] = BoundedCache(100, 10, lambda _, value: len(value))
    cache.put(1, bytes(3))
    cache.put(2, bytes(50))
    assert (cache.get(1), cache.get(2)) == (None, bytes(50))


def test_the_weight_of_the_keys_counts_too() -> None:
    cache: BoundedCache[tuple[int, ...], int] = BoundedCache(100, 10, lambda key, _: len(key))
    for number in range(5):
        cache.put((number,) * 4, number)
        assert len(cache) <= 2
