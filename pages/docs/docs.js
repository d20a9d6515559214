// Swagger UI, and what makes trying it out pleasant: a token that a login hands out is taken over at once, and
// the refresh token in an example stands for the newest one of this page. Both stay in memory only.
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

/** The example of the description, as it stands in a request that nobody edited. */
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
  // The default would send the description's address to a server of somebody else.
  validatorUrl: null,
  requestInterceptor,
  responseInterceptor,
  onComplete: () => {
    document.title = ui.specSelectors.specJson().getIn(["info", "title"]);
  },
});
