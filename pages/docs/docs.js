// Swagger UI, with two helpers for trying requests: an access token from a login is used at once, and the refresh token
// of the examples is replaced by the newest one of this page. Both tokens stay in memory only.
const SCHEME = "accessToken";
let refreshToken;

const darkMode = matchMedia("(prefers-color-scheme: dark)");
const followSystem = () => document.documentElement.classList.toggle("dark-mode", darkMode.matches);
darkMode.addEventListener("change", followSystem);
followSystem();

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The refresh token of the description's examples: an unedited request contains it. */
function exampleRefreshToken() {
  const examples = ui.specSelectors.specJson().getIn(["components", "examples"]);
  return examples.getIn(["RefreshTokenRequest", "value", "refresh_token"]);
}

function requestInterceptor(request) {
  const body = parse(request.body);
  if (refreshToken && body?.refresh_token === exampleRefreshToken()) {
    request.body = JSON.stringify({ ...body, refresh_token: refreshToken });
  }
  return request;
}

function responseInterceptor(response) {
  const body = response.ok ? parse(response.text) : undefined;
  if (body?.access_token && body?.refresh_token) {
    refreshToken = body.refresh_token;
    ui.preauthorizeApiKey(SCHEME, body.access_token);
  }
  return response;
}

const ui = SwaggerUIBundle({
  url: new URL("openapi.json", location.href).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  // The default would send the description's URL to a third-party server.
  validatorUrl: null,
  requestInterceptor,
  responseInterceptor,
  onComplete: () => {
    document.title = ui.specSelectors.specJson().getIn(["info", "title"]);
  },
});
