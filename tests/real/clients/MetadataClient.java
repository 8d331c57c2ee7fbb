// A real client without any credential file: google-auth-library-oauth2-http, which finds the metadata server of its environment.
//
//     java -cp JARS MetadataClient.java access | identity AUDIENCE
//
// Prints {"access_token": …} or {"id_token": …}; an error goes to stderr as the library words it, exit status 1.
// https://github.com/googleapis/google-auth-library-java#application-default-credentials

import com.google.auth.oauth2.ComputeEngineCredentials;
import com.google.auth.oauth2.GoogleCredentials;
import com.google.auth.oauth2.IdTokenCredentials;
import com.google.auth.oauth2.IdTokenProvider;
import java.io.IOException;
import java.util.List;

public class MetadataClient {
  public static void main(String[] arguments) {
    try {
      GoogleCredentials credentials = GoogleCredentials.getApplicationDefault();
      if (!(credentials instanceof ComputeEngineCredentials)) {
        throw new IOException("other credentials were found: " + credentials.getClass());
      }
      System.out.println(arguments[0].equals("identity") ? identity(credentials, arguments[1]) : access(credentials));
    } catch (IOException error) {
      System.err.println(error);
      System.exit(1);
    }
  }

  private static String access(GoogleCredentials credentials) throws IOException {
    GoogleCredentials scoped = credentials.createScoped(List.of("https://www.googleapis.com/auth/cloud-platform"));
    return "{\"access_token\": \"" + scoped.refreshAccessToken().getTokenValue() + "\"}";
  }

  private static String identity(GoogleCredentials credentials, String audience) throws IOException {
    IdTokenCredentials identity =
        IdTokenCredentials.newBuilder()
            .setIdTokenProvider((IdTokenProvider) credentials)
            .setTargetAudience(audience)
            .build();
    return "{\"id_token\": \"" + identity.refreshAccessToken().getTokenValue() + "\"}";
  }
}
