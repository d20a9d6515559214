// Every English text of /account and /console. A translation replaces the files in `texts/`; no other file of these pages has
// words for people. Each page bundles only the sections that it imports. Texts with values are functions.
export { accountTexts } from "./texts/account.js";
export { commonTexts } from "./texts/common.js";
export { consoleTexts } from "./texts/console.js";
