// One theme, light: figures have white backgrounds.
document.addEventListener("DOMContentLoaded", () => { document.body.dataset.theme = "light"; });
