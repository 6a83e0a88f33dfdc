"""The law as files: where packs lie, their earlier versions, and who signed them."""
