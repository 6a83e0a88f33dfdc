"""What every page of the desk uses: sessions, forms, templates, headers, events. It knows no page."""
