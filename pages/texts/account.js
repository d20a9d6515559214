// The texts of /account.

export const accountTexts = {
  title: "Account",
  signIn: {
    title: "Sign in",
    register: "Create an account",
    forgot: "Forgot the password?",
    verify: "Confirm your address",
  },
  overview: { title: "Overview" },
};
