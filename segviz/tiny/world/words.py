"""The words of the world. Each is one token of the embedded models, with the space before it."""

from __future__ import annotations

NAMES = (
    "Anna", "Ben", "Carl", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivan", "Jane", "Kurt", "Lena",
    "Mira", "Nils", "Olga", "Paul", "Rosa", "Sven", "Tara", "Uwe",
)  # fmt: skip
THINGS = (
    "key", "lamp", "book", "map", "coin", "ring", "drum", "kite", "rope", "bell", "flag", "cup",
    "hat", "shoe", "coat", "ball", "brush", "candle", "mirror", "pencil", "letter", "basket",
    "blanket", "bottle", "camera", "clock", "comb", "doll", "fork", "guitar", "hammer", "knife",
    "ladder", "needle", "pillow", "radio", "saw", "scarf", "spoon", "towel", "anchor", "barrel",
    "bucket", "carpet", "compass", "crown", "feather", "helmet", "jar", "kettle", "lantern",
    "medal", "net", "oar", "purse", "ruler", "shovel", "trumpet", "vase", "whistle",
)  # fmt: skip
PLACES = (
    "kitchen", "hall", "garden", "garage", "attic", "cellar", "library", "office", "drawer", "barn",
    "tent", "tower", "shed", "school", "church", "museum", "market", "harbour", "forest", "park",
    "tunnel", "castle", "bakery", "bank", "station", "stable", "studio", "theatre", "chapel", "van",
    "cabin", "closet", "court", "cave", "mill", "hotel", "cottage", "factory", "farm", "palace",
    "pantry", "temple", "valley", "well", "zoo", "gym",
)  # fmt: skip
GOODS = (
    "apples", "books", "cards", "coins", "eggs", "hens", "keys", "marbles", "nuts", "pears",
    "pens", "plums", "roses", "seeds", "shells", "sheep", "stamps", "stones", "tickets", "toys",
)  # fmt: skip
NUMBERS = tuple(map(str, range(2, 42)))
