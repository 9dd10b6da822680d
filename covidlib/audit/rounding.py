"""What a printed number says exactly: an interval, not a point."""

from decimal import Decimal, InvalidOperation
from fractions import Fraction

from covidlib.errors import DataError

# How a printed number stands to what follows from the others.
EXACT, ROUNDING, OFF = "agrees", "within rounding", "does not follow"


def decimal(printed: str) -> Decimal:
    """Return a printed number exactly.

    Raises:
        DataError: it is not a finite number.

    >>> decimal("83.70")
    Decimal('83.70')
    """
    try:
        number = Decimal(printed)
    except InvalidOperation:
        raise DataError(f"{printed!r} is not a printed number") from None
    if not number.is_finite():
        raise DataError(f"{printed!r} is not a finite number")
    return number


def half_width(printed: str) -> Fraction:
    """Return how far rounding may have moved a printed number.

    >>> half_width("83.7"), half_width("171")
    (Fraction(1, 20), Fraction(1, 2))
    """
    return Fraction(Decimal(1).scaleb(int(decimal(printed).as_tuple().exponent))) / 2


def bounds(printed: str) -> tuple[Fraction, Fraction]:
    """Return the closed interval of numbers that may be printed so.

    It is closed because nobody knows how a paper rounded a half.

    >>> bounds("83.7")
    (Fraction(1673, 20), Fraction(335, 4))
    """
    number, half = Fraction(decimal(printed)), half_width(printed)
    return number - half, number + half


def follows(printed: str, computed: Fraction, slack: Fraction) -> str:
    """Say whether a printed number follows from others that are printed as well.

    Args:
        printed: as in the paper.
        computed: from the other printed numbers, taken at their face value.
        slack: how far ``computed`` may be from the unrounded result.

    Returns:
        ``EXACT``: it rounds to the printed digits. ``ROUNDING``: unrounded results can give the
        printed digits. ``OFF``: they cannot.

    >>> follows("4.5", Fraction(45, 10), Fraction(1, 10))
    'agrees'
    >>> follows("4.6", Fraction(45, 10), Fraction(1, 10))
    'within rounding'
    >>> follows("4.7", Fraction(45, 10), Fraction(1, 10))
    'does not follow'
    """
    low, high = bounds(printed)
    if low <= computed <= high:
        return EXACT
    # Both ends are open here: two halves that round away from each other never meet.
    return ROUNDING if low - slack < computed < high + slack else OFF
