// A readable name of a device from its user agent. The text comes from strangers: it names, and decides nothing.
//
//   deviceOf("Mozilla/5.0 (Windows NT 10.0; …) … Firefox/130.0")   // "Firefox on Windows"; undefined for others
import { commonTexts as texts } from "../texts.js";

// The first match counts: many user agents name others, too.
const BROWSERS = [
  [/\bEdg(e|A|iOS)?\//, "Edge"],
  [/\bOPR\/|\bOpera\b/, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\bFirefox\/|\bFxiOS\//, "Firefox"],
  [/\b(Headless)?Chrome\/|\bCriOS\//, "Chrome"],
  [/\bVersion\/.*\bSafari\//, "Safari"],
  [/^curl\//, "curl"],
];
const SYSTEMS = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b|\bMacintosh\b/, "macOS"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bLinux\b/, "Linux"],
];

const nameIn = (list, text) => list.find(([pattern]) => pattern.test(text))?.[1];

export function deviceOf(userAgent) {
  const text = userAgent ?? "";
  const [browser, system] = [nameIn(BROWSERS, text), nameIn(SYSTEMS, text)];
  return browser && system ? texts.device(browser, system) : (browser ?? system);
}
