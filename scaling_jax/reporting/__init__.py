"""How a fit is told: the layout of what is handed in, as text, HTML and a checklist."""
