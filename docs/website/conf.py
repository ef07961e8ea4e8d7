"""Configuration of Sphinx: Markdown as on GitHub, and a theme with a light and a dark mode."""

project = "regcred"
author = "regcred"
html_title = "regcred"

extensions = ["myst_parser"]
myst_heading_anchors = 4  # `page#a-heading`, as on GitHub
highlight_language = "text"
suppress_warnings = ["misc.highlighting_failure"]  # JSON examples contain `…`
exclude_patterns: list[str] = []

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#3f51b5",
        "color-brand-content": "#3f51b5",
        "color-brand-visited": "#3f51b5",
    },
    "dark_css_variables": {
        "color-brand-primary": "#a9b6ff",
        "color-brand-content": "#a9b6ff",
        "color-brand-visited": "#a9b6ff",
    },
    "navigation_with_keys": False,
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
