// The texts of /console.

export const consoleTexts = {};
