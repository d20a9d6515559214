// Facts about the page that dialogs need without being handed them: the settings of the deployment, and the signed-in user.
// `app.js` fills it; views get the same values as `context`.

export const page = { settings: undefined, user: undefined };
