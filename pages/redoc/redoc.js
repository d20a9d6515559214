// ReDoc, light or dark by the system's preference. Its search is disabled: it would need a worker from a blob, which the
// Content-Security-Policy forbids.
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const darkTheme = {
  colors: {
    primary: { main: "#8fb8e8" },
    text: { primary: "#e6e6e6", secondary: "#b5b5b5" },
    border: { dark: "#444", light: "#333" },
    http: {},
  },
  schema: { nestedBackground: "#22272a", typeNameColor: "#b5b5b5", typeTitleColor: "#b5b5b5" },
  sidebar: { backgroundColor: "#171a1c", textColor: "#e6e6e6" },
  rightPanel: { backgroundColor: "#14181a" },
  typography: { code: { color: "#f0a8a8", backgroundColor: "#2b3135" } },
};
document.body.style.margin = "0";
if (dark) {
  document.documentElement.style.background = "#1c2022";
}

const url = new URL("openapi.json", location.href).href;
const options = { disableSearch: true, hideDownloadButton: true, theme: dark ? darkTheme : {} };
Redoc.init(url, options, document.getElementById("redoc"));
fetch(url)
  .then((response) => response.json())
  .then(({ info }) => (document.title = info.title));
