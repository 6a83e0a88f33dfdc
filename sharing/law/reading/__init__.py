"""How YAML becomes packs, common rules and the treaty table: strictly, with every fault and its line."""
