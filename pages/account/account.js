// The entry of /account: its views, and their order in the navigation.
import { startApp } from "../kit/app.js";
import { accountTexts as texts } from "../texts.js";
import { overviewView } from "./overview.js";
import { signInView } from "./sign-in.js";

startApp({
  title: texts.title,
  closed: { "sign-in": signInView },
  views: { overview: overviewView },
  nav: () => [{ id: "overview", label: texts.overview.title }],
});
