@"%~dp0wif-token.exe" helper docker %*
